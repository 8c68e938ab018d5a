package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a text a message shows.
const shownCharacters = 200

// Words that begin a query and no expression.
var beginQuery = []string{
	"SELECT", "FROM", "WITH", "VALUES", "TABLE", "PIVOT", "UNPIVOT", "DESCRIBE", "SHOW", "SUMMARIZE", "EXPLAIN", "CALL",
}

// Functions that make several columns of one expression.
var becomeSeveral = []string{"COLUMNS", "UNNEST", "UNPACK"}

var closing = map[string]string{"(": ")", "[": "]", "{": "}"}

// column is a column of a result.
type column struct {
	// sql is its text in a list after SELECT.
	sql string
	// name is its name, if the text shows it.
	name string
	// isAll tells that it is `*`: its names are those of the table's columns.
	isAll bool
	// alias is the name that was given with AS.
	alias string
}

// Expression puts a single expression into parentheses. The check makes sure that it can't end them: no quote, comment or
// bracket stays open, and no bracket closes one that the text did not open. Text that is no expression in parentheses, such
// as `a FROM b`, passes the check and is an error of DuckDB.
func Expression(content string) (string, error) {
	if _, err := unnamed(content); err != nil {
		return "", err
	}
	return inParentheses(content), nil
}

// columnOf takes an expression, or `expression AS name`.
func columnOf(content string) (column, error) {
	pieces, err := piecesOf(content)
	if err != nil {
		return column{}, err
	}
	position := positionOfAs(pieces)
	if position < 0 {
		name, isAll := ownName(pieces)
		return column{sql: inParentheses(content), name: name, isAll: isAll}, nil
	}
	behind := pieces[position+1:]
	alias, isName := "", false
	if position > 0 && len(behind) == 1 {
		alias, isName = behind[0].name()
	}
	if !isName {
		return column{}, refusal(content, "AS stands between an expression and one name, at the end")
	}
	if alias == "" {
		return column{}, refusal(content, "the name behind AS is empty")
	}
	made := column{alias: alias}
	made.sql = inParentheses(content[:pieces[position].start]) + " AS " + Identifier(alias)
	if !mayBeSeveral(pieces[:position]) {
		made.name = alias
	}
	return made, nil
}

// sortKey takes an expression to sort by, with an optional ASC, DESC, NULLS FIRST or NULLS LAST behind it.
func sortKey(content string) (string, error) {
	rest, err := unnamed(content)
	if err != nil {
		return "", err
	}
	suffix := ""
	if last := len(rest) - 1; last > 0 && rest[last-1].is("NULLS") {
		if !rest[last].is("FIRST") && !rest[last].is("LAST") {
			return "", refusal(content, "behind NULLS stands FIRST or LAST")
		}
		suffix = " NULLS " + strings.ToUpper(rest[last].text)
		rest = rest[:last-1]
	}
	if last := len(rest) - 1; last >= 0 && (rest[last].is("ASC") || rest[last].is("DESC")) {
		suffix = " " + strings.ToUpper(rest[last].text) + suffix
		rest = rest[:last]
	}
	if len(rest) == 0 {
		return "", refusal(content, "there is nothing to sort by")
	}
	return inParentheses(content[:rest[len(rest)-1].end()]) + suffix, nil
}

// statementOf takes a complete SELECT, and returns it without a semicolon at its end.
func statementOf(content string) (string, error) {
	refuse := func(err error) error {
		return fmt.Errorf("%s is not a single SELECT: %w", Shown(content), err)
	}
	everything := tokensOf(content)
	if err := checkEnds(everything); err != nil {
		return "", refuse(err)
	}
	significant := significantOf(everything)
	for len(significant) > 0 && significant[len(significant)-1].kind == end {
		significant = significant[:len(significant)-1]
	}
	if hasEnd(significant) {
		return "", refuse(errors.New("a `;` ends it before its end"))
	}
	if err := checkCharacters(content, everything); err != nil {
		return "", refuse(err)
	}
	if err := checkBrackets(significant); err != nil {
		return "", refuse(err)
	}
	if len(significant) == 0 {
		return "", refuse(errors.New("it is empty"))
	}
	return strings.TrimLeftFunc(content[:significant[len(significant)-1].end()], unicode.IsSpace), nil
}

// Shown is a text for a message, cut if it is long.
func Shown(content string) string {
	cut, rest := content, ""
	count := 0
	for index := range content {
		if count++; count > shownCharacters {
			cut, rest = content[:index], "…"
			break
		}
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x00", `\u0000`).Replace(cut) + `"` + rest
}

func refusal(content, what string) error {
	return fmt.Errorf("%s is not a single expression: %s", Shown(content), what)
}

// piecesOf returns the tokens of a text that can be one expression, without spaces.
func piecesOf(content string) ([]token, error) {
	pieces, err := checked(content)
	if err != nil {
		return nil, refusal(content, err.Error())
	}
	return pieces, nil
}

// unnamed returns the tokens of a text that can be one expression and gives it no name.
func unnamed(content string) ([]token, error) {
	pieces, err := piecesOf(content)
	if err == nil && positionOfAs(pieces) >= 0 {
		err = refusal(content, "a name behind AS is of no use here")
	}
	return pieces, err
}

// checked returns the tokens of a text, unless it could end the parentheses around it or is not one expression.
func checked(content string) ([]token, error) {
	everything := tokensOf(content)
	if err := checkEnds(everything); err != nil {
		return nil, err
	}
	if err := checkCharacters(content, everything); err != nil {
		return nil, err
	}
	for _, one := range everything {
		if one.kind == comment {
			return nil, fmt.Errorf("a comment, %s, has no place in it", Shown(one.text))
		}
	}
	significant := significantOf(everything)
	if hasEnd(significant) {
		return nil, errors.New("a `;` would end the whole query")
	}
	if err := checkBrackets(significant); err != nil {
		return nil, err
	}
	for _, index := range outsideOfBrackets(significant) {
		if significant[index].text == "," {
			return nil, errors.New("a `,` begins another one")
		}
	}
	if len(significant) == 0 {
		return nil, errors.New("it is empty")
	}
	for _, begin := range beginQuery {
		if significant[0].is(begin) {
			return nil, fmt.Errorf("a query, such as what %s begins, stands in parentheses", significant[0].text)
		}
	}
	return significant, nil
}

func significantOf(everything []token) []token {
	var significant []token
	for _, one := range everything {
		if one.isSignificant() {
			significant = append(significant, one)
		}
	}
	return significant
}

func hasEnd(significant []token) bool {
	return slices.ContainsFunc(significant, func(one token) bool { return one.kind == end })
}

// checkEnds refuses quotes and comments that don't end.
func checkEnds(everything []token) error {
	for _, one := range everything {
		if one.isOpen {
			return fmt.Errorf("what begins with %s does not end", Shown(one.text))
		}
	}
	return nil
}

// checkCharacters refuses characters of which it is not certain where DuckDB ends a token, and those that can't be sent.
func checkCharacters(content string, everything []token) error {
	if strings.ContainsRune(content, 0) {
		return errors.New("it holds a NUL character")
	}
	if !utf8.ValidString(content) {
		return errors.New("it is not valid UTF-8")
	}
	for _, one := range everything {
		if one.kind == text || one.kind == quotedName || one.kind == comment {
			continue
		}
		for _, character := range one.text {
			// Letters, the marks on them, and numbers.
			if character >= utf8.RuneSelf && !unicode.In(character, unicode.L, unicode.M, unicode.N) {
				return fmt.Errorf("%q stands outside of quotes; a name goes into double quotes", character)
			}
		}
	}
	for index := range len(everything) - 1 {
		before, behind := everything[index], everything[index+1]
		if before.kind != number {
			continue
		}
		switch behind.kind {
		case word, number, text, quotedName:
			return fmt.Errorf("%s runs on into %s", Shown(before.text), Shown(behind.text))
		}
	}
	return nil
}

// checkBrackets refuses brackets that don't go in pairs.
func checkBrackets(significant []token) error {
	var missing []string
	for _, one := range significant {
		if closes := closing[one.text]; closes != "" {
			missing = append(missing, closes)
		} else if isClosing(one.text) {
			if len(missing) == 0 || missing[len(missing)-1] != one.text {
				return fmt.Errorf("a `%s` closes what it does not open", one.text)
			}
			missing = missing[:len(missing)-1]
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("a `%s` is missing", missing[len(missing)-1])
	}
	return nil
}

func isClosing(content string) bool {
	return content == ")" || content == "]" || content == "}"
}

// outsideOfBrackets returns the positions of the tokens outside of brackets. All brackets must be in pairs.
func outsideOfBrackets(all []token) []int {
	var positions []int
	depth := 0
	for index, one := range all {
		if isClosing(one.text) {
			depth--
		}
		if depth == 0 {
			positions = append(positions, index)
		}
		if closing[one.text] != "" {
			depth++
		}
	}
	return positions
}

// positionOfAs is the position of the first AS outside of brackets; -1 if there is none.
func positionOfAs(pieces []token) int {
	for _, index := range outsideOfBrackets(pieces) {
		if pieces[index].is("AS") {
			return index
		}
	}
	return -1
}

// ownName is the name that DuckDB gives an expression without AS, if that is known, and whether it is `*`.
func ownName(pieces []token) (string, bool) {
	if len(pieces) == 1 && pieces[0].text == "*" {
		return "", true
	}
	for index, one := range pieces {
		_, isName := one.name()
		if index%2 == 0 && !isName || index%2 == 1 && one.text != "." {
			return "", false
		}
	}
	name, _ := pieces[len(pieces)-1].name()
	return name, false
}

func mayBeSeveral(before []token) bool {
	if before[0].text == "*" || before[len(before)-1].text == "*" {
		return true
	}
	return slices.ContainsFunc(before, func(one token) bool { return slices.ContainsFunc(becomeSeveral, one.is) })
}

func inParentheses(content string) string {
	return "(" + strings.TrimSpace(content) + ")"
}
