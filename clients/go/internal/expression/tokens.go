// Package expression checks texts that become parts of a larger text of SQL, and writes the texts of several steps over a
// table as one query. It knows where a token of DuckDB's dialect begins and ends: strings of all forms, quoted names,
// comments, numbers, parameters. It does not know the grammar, or what a name means. Each rule is that of DuckDB's scanner.
// Where the two differ, a text could hide from one what the other reads.
package expression

import (
	"strings"
	"unicode/utf8"
)

type kind int

const (
	space kind = iota
	comment
	// A keyword or an unquoted name.
	word
	quotedName
	// A string of any form, with its continuation lines.
	text
	// ?, ?1, $1 or $name.
	parameter
	number
	// The semicolon that ends a statement.
	end
	// Any other character.
	symbol
)

// token is a token of a text.
type token struct {
	kind kind
	text string
	// start is where it begins in the whole text.
	start int
	// isOpen tells whether its quote or comment is not closed.
	isOpen bool
}

func (t token) isSignificant() bool { return t.kind != space && t.kind != comment }

func (t token) end() int { return t.start + len(t.text) }

// is tells whether it is this word, which is in capital letters, ignoring case. Some letters outside of ASCII have capitals
// in ASCII: those are other words.
func (t token) is(capitals string) bool {
	return t.kind == word && isASCII(t.text) && strings.ToUpper(t.text) == capitals
}

// name is the name without quotes, and false if it is not a name.
func (t token) name() (string, bool) {
	switch t.kind {
	case quotedName:
		return strings.ReplaceAll(t.text[1:len(t.text)-1], `""`, `"`), true
	case word:
		return t.text, true
	default:
		return "", false
	}
}

// tokensOf splits a text into tokens, which cover all of it.
func tokensOf(whole string) []token {
	var all []token
	for position := 0; position < len(whole); {
		one := scan(whole, position)
		all = append(all, one)
		position = one.end()
	}
	return all
}

// Identifier is a name in double quotes, valid for any name.
func Identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func literal(content string) string {
	return "'" + strings.ReplaceAll(content, "'", "''") + "'"
}

// folded is what names have in common that differ in the case of ASCII letters only: they are one name in SQL.
func folded(name string) string {
	return strings.Map(func(character rune) rune {
		if 'A' <= character && character <= 'Z' {
			return character + 'a' - 'A'
		}
		return character
	}, name)
}

func isASCII(content string) bool {
	for index := range len(content) {
		if content[index] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func scan(whole string, position int) token {
	rest := whole[position:]
	cut := func(kind kind, length int) token { return token{kind: kind, text: rest[:length], start: position} }
	// A quote or a comment without an end is the rest of the text.
	closed := func(kind kind, length int) token {
		if length < 0 {
			return token{kind: kind, text: rest, start: position, isOpen: true}
		}
		return cut(kind, length)
	}
	first, size := utf8.DecodeRuneInString(rest)
	switch {
	case first == '\'':
		return closed(text, stringEnd(rest, 0, false))
	case (first == 'e' || first == 'E') && strings.HasPrefix(rest[1:], "'"):
		return closed(text, stringEnd(rest, 1, true))
	case first == '"':
		return closed(quotedName, quoteEnd(rest, 0, '"', false))
	case first == '$' && dollarTag(rest) > 0:
		tag := dollarTag(rest)
		inside := strings.Index(rest[tag:], rest[:tag])
		if inside < 0 {
			return closed(text, -1)
		}
		return cut(text, tag+inside+tag)
	case strings.HasPrefix(rest, "/*"):
		return closed(comment, commentEnd(rest))
	case isSpace(first):
		return cut(space, lengthOf(rest, isSpace))
	case strings.HasPrefix(rest, "--"):
		return cut(comment, lineEnd(rest))
	case first == '?':
		return cut(parameter, 1+digits(rest[1:]))
	case first == '$' && !(len(rest) > 2 && (rest[1] == 'e' || rest[1] == 'E') && rest[2] == '\''):
		if length := max(nameLength(rest[1:]), digits(rest[1:])); length > 0 {
			return cut(parameter, 1+length)
		}
	case first == ';':
		return cut(end, 1)
	}
	if length := numberLength(rest); length > 0 {
		return cut(number, length)
	}
	if length := nameLength(rest); length > 0 {
		return cut(word, length)
	}
	return cut(symbol, size)
}

// isSpace tells what is DuckDB's whitespace: some of Unicode's, and some characters that are not whitespace in Unicode.
func isSpace(character rune) bool {
	switch character {
	case ' ', '\t', '\n', '\r', '\f', '\u00a0', '\u202f', '\u205f', '\u2060', '\u3000', '\ufeff':
		return true
	}
	return '\u2000' <= character && character <= '\u200d'
}

// beginsName tells which characters begin a name: letters, the underscore, and everything that is not ASCII.
func beginsName(character rune) bool {
	return 'a' <= character && character <= 'z' || 'A' <= character && character <= 'Z' || character == '_' ||
		character >= utf8.RuneSelf && !isSpace(character)
}

func isDigit(character rune) bool { return '0' <= character && character <= '9' }

func isInName(character rune) bool {
	return beginsName(character) || isDigit(character) || character == '$'
}

// lengthOf is the length of the characters at the beginning that are such.
func lengthOf(rest string, isSuch func(rune) bool) int {
	for index, character := range rest {
		if !isSuch(character) {
			return index
		}
	}
	return len(rest)
}

func nameLength(rest string) int {
	first, size := utf8.DecodeRuneInString(rest)
	if size == 0 || !beginsName(first) {
		return 0
	}
	return lengthOf(rest, isInName)
}

// digits is the length of digits, which may have single underscores between them.
func digits(rest string) int {
	length := lengthOf(rest, isDigit)
	for length > 0 && strings.HasPrefix(rest[length:], "_") {
		more := lengthOf(rest[length+1:], isDigit)
		if more == 0 {
			break
		}
		length += 1 + more
	}
	return length
}

func numberLength(rest string) int {
	length := digits(rest)
	switch {
	case length > 0 && strings.HasPrefix(rest[length:], "."):
		length += 1 + digits(rest[length+1:])
	case length == 0 && strings.HasPrefix(rest, "."):
		fraction := digits(rest[1:])
		if fraction == 0 {
			return 0
		}
		length = 1 + fraction
	}
	if length == 0 || length == len(rest) || (rest[length] != 'e' && rest[length] != 'E') {
		return length
	}
	sign := 0
	if length+1 < len(rest) && strings.IndexByte("+-", rest[length+1]) >= 0 {
		sign = 1
	}
	if exponent := digits(rest[length+1+sign:]); exponent > 0 {
		length += 1 + sign + exponent
	}
	return length
}

// dollarTag is the length of a tag such as $$ or $name$; 0 if there is none.
func dollarTag(rest string) int {
	length := 1
	if first, size := utf8.DecodeRuneInString(rest[1:]); size > 0 && beginsName(first) {
		length += lengthOf(rest[1:], func(character rune) bool { return beginsName(character) || isDigit(character) })
	}
	if strings.HasPrefix(rest[length:], "$") {
		return length + 1
	}
	return 0
}

// quoteEnd is where a text ends whose quote is at this position; -1 if it does not. A quote that is doubled is part of it.
func quoteEnd(rest string, position int, quote byte, hasEscapes bool) int {
	for index := position + 1; index < len(rest); index++ {
		switch {
		case rest[index] == '\\' && hasEscapes:
			index++
		case rest[index] == quote && index+1 < len(rest) && rest[index+1] == quote:
			index++
		case rest[index] == quote:
			return index + 1
		}
	}
	return -1
}

// stringEnd is where a string ends whose quote is at this position, with all its continuations: behind a line break, a quote
// goes on with it.
func stringEnd(rest string, position int, hasEscapes bool) int {
	for {
		found := quoteEnd(rest, position, '\'', hasEscapes)
		if found < 0 {
			return -1
		}
		next, hasLineBreak := gap(rest, found)
		if !hasLineBreak || !strings.HasPrefix(rest[next:], "'") {
			return found
		}
		position = next
	}
}

// gap is where spaces and comments end that begin here, and whether there is a line break among them.
func gap(rest string, position int) (int, bool) {
	begin := position
	for {
		length := lengthOf(rest[position:], isSpace)
		if strings.HasPrefix(rest[position+length:], "--") {
			length += lineEnd(rest[position+length:])
		}
		if length == 0 {
			return position, strings.ContainsAny(rest[begin:position], "\n\r")
		}
		position += length
	}
}

func lineEnd(rest string) int {
	if length := strings.IndexAny(rest, "\n\r"); length >= 0 {
		return length
	}
	return len(rest)
}

// commentEnd is where the block comment ends that begins here. They nest.
func commentEnd(rest string) int {
	depth := 0
	for index := 0; index+1 < len(rest); {
		switch rest[index : index+2] {
		case "/*":
			depth++
			index += 2
		case "*/":
			depth--
			index += 2
			if depth == 0 {
				return index
			}
		default:
			index++
		}
	}
	return -1
}
