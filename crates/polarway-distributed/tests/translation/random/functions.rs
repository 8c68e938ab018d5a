//! Functions, operators and casts: what the translator knows, and some that it refuses.

use super::types::Type::*;
use super::types::{DECIMALS, INTEGERS, STORED, TIMES, Type};

/// A form of expression.
pub(super) struct Function {
    pub(super) of: Type,
    /// With `{}` for each argument.
    pub(super) text: String,
    pub(super) arguments: Vec<Type>,
    /// Whether it fails for some values.
    pub(super) may_fail: bool,
    /// Whether its result may be known from some of its arguments, and nothing says from which. Each engine leaves out others, so
    /// none of them may fail.
    pub(super) may_skip: bool,
}

/// All of them.
pub(super) fn functions() -> Vec<Function> {
    let mut all = Functions(Vec::new());
    all.numbers();
    all.comparisons();
    all.texts();
    all.times();
    all.casts();
    all.nested();
    all.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, of: Type, text: &str, arguments: &[Type]) {
        let (text, arguments) = (text.to_owned(), arguments.to_vec());
        self.0.push(Function { of, text, arguments, may_fail: false, may_skip: false });
    }

    fn add_failing(&mut self, of: Type, text: &str, arguments: &[Type]) {
        self.add(of, text, arguments);
        self.last().may_fail = true;
    }

    fn add_skipping(&mut self, text: &str, arguments: &[Type]) {
        self.add(Boolean, text, arguments);
        self.last().may_skip = true;
    }

    fn last(&mut self) -> &mut Function {
        self.0.last_mut().unwrap()
    }

    fn numbers(&mut self) {
        for of in INTEGERS {
            for operator in ["+", "-", "*"] {
                self.add_failing(of, &format!("({{}} {operator} {{}})"), &[of, of]);
            }
            self.add_failing(of, "({} // {})", &[of, of]);
            self.add_failing(of, "({} % {})", &[of, of]);
            self.add_failing(of, "(-{})", &[of]);
            self.add_failing(of, "abs({})", &[of]);
            self.add(Double, "({} / {})", &[of, of]);
            self.add(of, "round({})", &[of]);
            for operator in ["&", "|", "xor"] {
                let text = if operator == "xor" {
                    "xor({}, {})".to_owned()
                } else {
                    format!("({{}} {operator} {{}})")
                };
                self.add(of, &text, &[of, of]);
            }
            self.add(BigInt, "CAST(sign({}) AS BIGINT)", &[of]);
        }
        for of in DECIMALS {
            for operator in ["+", "-", "*"] {
                self.add_failing(Double, &format!("CAST(({{}} {operator} {{}}) AS DOUBLE)"), &[of, of]);
                self.add_failing(
                    Varchar,
                    &format!("CAST(({{}} {operator} {{}}) AS VARCHAR)"),
                    &[of, SmallInt],
                );
                self.add_failing(
                    Varchar,
                    &format!("CAST(({{}} {operator} {{}}) AS VARCHAR)"),
                    &[HugeInt, of],
                );
            }
            self.add(of, "(-{})", &[of]);
            self.add(of, "abs({})", &[of]);
            for function in ["floor", "ceil", "round"] {
                self.add_failing(HugeInt, &format!("CAST({function}({{}}) AS HUGEINT)"), &[of]);
            }
            self.add_failing(Double, "CAST(round({}, 1) AS DOUBLE)", &[of]);
            self.add_failing(Double, "({} / {})", &[of, of]);
            self.add_failing(Varchar, "CAST(({} % {}) AS VARCHAR)", &[of, of]);
        }
        for of in [Float, Double] {
            for operator in ["+", "-", "*", "/"] {
                self.add(of, &format!("({{}} {operator} {{}})"), &[of, of]);
            }
            self.add(of, "(-{})", &[of]);
            self.add(of, "({} % {})", &[of, of]);
            for function in ["abs", "floor", "ceil", "round", "trunc"] {
                self.add(of, &format!("{function}({{}})"), &[of]);
            }
            self.add(Boolean, "isnan({})", &[of]);
            self.add(Boolean, "isinf({})", &[of]);
            self.add(Boolean, "isfinite({})", &[of]);
        }
        for function in
            ["sqrt", "ln", "exp", "cbrt", "log10", "log2", "sin", "cos", "tan", "atan", "degrees", "radians"]
        {
            self.add_failing(Double, &format!("{function}({{}})"), &[Double]);
        }
        for digits in [0, 1, 3, 15] {
            self.add(Double, &format!("round({{}}, {digits})"), &[Double]);
        }
        self.add_failing(Double, "pow({}, {})", &[Double, Double]);
        self.add(Double, "atan2({}, {})", &[Double, Double]);
    }

    fn comparisons(&mut self) {
        for of in STORED.into_iter().chain([HugeInt, Interval]) {
            for operator in ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"] {
                self.add(Boolean, &format!("({{}} {operator} {{}})"), &[of, of]);
            }
            self.add_skipping("({} BETWEEN {} AND {})", &[of, of, of]);
            self.add_skipping("({} IN ({}, {}))", &[of, of, of]);
            self.add_skipping("({} NOT IN ({}, {}, {}))", &[of, of, of, of]);
            self.add(Boolean, "({} IS NULL)", &[of]);
            self.add(Boolean, "({} IS NOT NULL)", &[of]);
            self.add(of, "CASE WHEN {} THEN {} ELSE {} END", &[Boolean, of, of]);
            self.add(of, "CASE WHEN {} THEN {} END", &[Boolean, of]);
            self.add(of, "CASE {} WHEN {} THEN {} ELSE {} END", &[of, of, of, of]);
            self.add(of, "coalesce({}, {})", &[of, of]);
            self.add(of, "coalesce({}, {}, {})", &[of, of, of]);
            self.add(of, "ifnull({}, {})", &[of, of]);
            self.add(of, "nullif({}, {})", &[of, of]);
            self.add(of, "if({}, {}, {})", &[Boolean, of, of]);
            self.add(of, "greatest({}, {})", &[of, of]);
            self.add(of, "least({}, {}, {})", &[of, of, of]);
        }
        for text in ["({} AND {})", "({} OR {})"] {
            self.add_skipping(text, &[Boolean, Boolean]);
        }
        for text in ["(NOT {})", "({} IS TRUE)", "({} IS NOT FALSE)", "({} IS UNKNOWN)"] {
            self.add(Boolean, text, &[Boolean]);
        }
    }

    fn texts(&mut self) {
        self.add(Varchar, "({} || {})", &[Varchar, Varchar]);
        self.add(Varchar, "concat({}, {})", &[Varchar, Varchar]);
        self.add(Varchar, "concat_ws({}, {}, {})", &[Varchar, Varchar, Varchar]);
        for function in ["length", "strlen", "ascii", "unicode", "bit_length"] {
            self.add(BigInt, &format!("CAST({function}({{}}) AS BIGINT)"), &[Varchar]);
        }
        self.add(BigInt, "strpos({}, {})", &[Varchar, Varchar]);
        for function in ["prefix", "suffix", "contains", "starts_with"] {
            self.add(Boolean, &format!("{function}({{}}, {{}})"), &[Varchar, Varchar]);
        }
        for operator in ["LIKE", "NOT LIKE", "ILIKE"] {
            self.add(Boolean, &format!("({{}} {operator} {{}})"), &[Varchar, Varchar]);
            for pattern in ["a%", "%b", "_", "%a_%", "%", "", "ab", "%b%", "a_b"] {
                self.add(Boolean, &format!("({{}} {operator} '{pattern}')"), &[Varchar]);
            }
        }
        for function in ["upper", "lower", "trim", "ltrim", "rtrim", "reverse"] {
            self.add(Varchar, &format!("{function}({{}})"), &[Varchar]);
        }
        self.add(Varchar, "trim({}, {})", &[Varchar, Varchar]);
        self.add(Varchar, "replace({}, {}, {})", &[Varchar, Varchar, Varchar]);
        self.add(Texts, "string_split({}, 'a')", &[Varchar]);
        self.add(Varchar, "replace({}, 'a', {})", &[Varchar, Varchar]);
        self.add(Varchar, "substring({}, {})", &[Varchar, SmallInt]);
        self.add(Varchar, "substring({}, {}, {})", &[Varchar, TinyInt, TinyInt]);
        self.add(Varchar, "substring({}, 2, 3)", &[Varchar]);
        self.add(Varchar, "left({}, {})", &[Varchar, TinyInt]);
        self.add(Varchar, "right({}, {})", &[Varchar, TinyInt]);
        self.add(Varchar, "({})[{}]", &[Varchar, TinyInt]);
        self.add(Varchar, "repeat({}, 3)", &[Varchar]);
        self.add(Varchar, "lpad({}, 4, 'x')", &[Varchar]);
        self.add(Varchar, "rpad({}, 4, 'x')", &[Varchar]);
        self.add(Varchar, "split_part({}, 'a', 1)", &[Varchar]);
        self.add(Varchar, "md5({})", &[Varchar]);
        self.add(Varchar, "regexp_replace({}, 'a', 'x')", &[Varchar]);
        self.add(Boolean, "regexp_matches({}, 'a.')", &[Varchar]);
    }

    fn times(&mut self) {
        let parts = [
            "year",
            "month",
            "day",
            "decade",
            "century",
            "quarter",
            "hour",
            "minute",
            "second",
            "millisecond",
            "microsecond",
            "dayofweek",
            "isodow",
            "dayofyear",
            "week",
            "isoyear",
            "yearweek",
        ];
        for of in TIMES {
            for part in parts {
                self.add(BigInt, &format!("{part}({{}})"), &[of]);
                self.add(BigInt, &format!("date_part('{part}', {{}})"), &[of]);
                self.add_failing(
                    if of == TimestampTz { of } else { Timestamp },
                    &format!(
                        "CAST(date_trunc('{part}', {{}}) AS {})",
                        if of == TimestampTz { of } else { Timestamp }
                    ),
                    &[of],
                );
            }
            self.add(BigInt, "EXTRACT(week FROM {})", &[of]);
            self.add_failing(Timestamp, "CAST(({} + {}) AS TIMESTAMP)", &[of, Interval]);
            self.add_failing(Timestamp, "CAST(({} - {}) AS TIMESTAMP)", &[of, Interval]);
            self.add(BigInt, "date_diff('day', {}, {})", &[of, of]);
            self.add(Varchar, "strftime({}, '%Y-%m-%d')", &[of]);
            self.add(Varchar, "dayname({})", &[of]);
            self.add(Date, "last_day({})", &[of]);
        }
        self.add(BigInt, "century({})", &[Date]);
        self.add(BigInt, "era({})", &[Timestamp]);
        self.add(Varchar, "monthname({})", &[Date]);
        self.add_failing(Date, "make_date({}, {}, {})", &[SmallInt, TinyInt, TinyInt]);
        self.add_failing(Time, "make_time({}, {}, {})", &[TinyInt, TinyInt, Double]);
        self.add_failing(BigInt, "({} - {})", &[Date, Date]);
        self.add_failing(Date, "({} + {})", &[Date, Integer]);
        self.add_failing(Date, "({} + {})", &[Integer, Date]);
        self.add_failing(Date, "({} - {})", &[Date, Integer]);
        self.add(Double, "epoch({})", &[Timestamp]);
    }

    fn nested(&mut self) {
        for (of, item) in [(Numbers, Integer), (Texts, Varchar)] {
            self.add(of, "[{}]", &[item]);
            self.add(of, "[{}, {}, {}]", &[item, item, item]);
            self.add(of, "list_sort({})", &[of]);
            self.add(of, "list_sort({}, 'DESC', 'NULLS FIRST')", &[of]);
            self.add(of, "list_reverse_sort({})", &[of]);
            self.add(of, "list_concat({}, {})", &[of, of]);
            self.add(of, "({})[2:3]", &[of]);
            self.add(of, "({})[{}:{}]", &[of, TinyInt, TinyInt]);
            self.add(of, "({})[:{}]", &[of, TinyInt]);
            self.add(item, "({})[{}]", &[of, TinyInt]);
            self.add(item, "list_extract({}, 1)", &[of]);
            self.add(BigInt, "len({})", &[of]);
            self.add(Boolean, "list_contains({}, {})", &[of, item]);
        }
        self.add(Pair, "{'a': {}, 'b': {}}", &[Double, Varchar]);
        self.add(Double, "({}).a", &[Pair]);
        self.add(Varchar, "({}).b", &[Pair]);
        self.add(Boolean, "(row({}, {}) = row({}, {}))", &[Integer, Varchar, Integer, Varchar]);
        self.add(Boolean, "(row({}, {}) < row({}, {}))", &[Date, Numbers, Date, Numbers]);
    }

    fn casts(&mut self) {
        let types: Vec<Type> = STORED.into_iter().chain([HugeInt, Interval]).collect();
        for from in &types {
            for to in &types {
                if !is_known(*from, *to) {
                    continue;
                }
                let is_exact = (from.is_integer() && matches!(to, Double | Varchar))
                    || (matches!(from, Decimal(..) | Boolean) && *to == Varchar);
                let cast = format!("CAST({{}} AS {to})");
                match is_exact {
                    true => self.add(*to, &cast, &[*from]),
                    false => self.add_failing(*to, &cast, &[*from]),
                }
                if from != to {
                    self.add(*to, &format!("TRY_CAST({{}} AS {to})"), &[*from]);
                }
            }
        }
    }
}

/// Most casts that are translated, and some that are not.
fn is_known(from: Type, to: Type) -> bool {
    let is_whole = |of: Type| of.is_integer() || of == Boolean;
    match (from, to) {
        (from, to) if from.is_number() && to.is_number() => true,
        (from, to) if is_whole(from) && is_whole(to) => true,
        (Date | Timestamp | TimestampTz, Date | Timestamp | TimestampTz | Time) => true,
        (_, Varchar) => true,
        (Varchar, Integer | Double | Date | Timestamp | Boolean) => true,
        _ => false,
    }
}
