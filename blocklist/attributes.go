package blocklist

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Attributes are the parts of an entry besides its target. [ParseEntry] lists their keys. Times have whole seconds,
// from 1970 to 9999.
type Attributes struct {
	Category  string    // category=: why it is listed, such as csam
	Reference string    // ref=: the order or decision that it is based on
	Expires   time.Time // expires=: the entry does not match from this time on; zero: never
	Review    time.Time // review=: when a person should review it; zero: not set
	Added     time.Time // added=: when it was first listed; zero: not recorded
	Monitor   bool      // status=monitor: report a match, do not block
	Source    string    // source=: the list that it was taken over from, and its serial, such as de.example/wol@41
}

// Or returns a, with each attribute that a does not set taken from b. The status is always that of a.
func (a Attributes) Or(b Attributes) Attributes {
	a.Category, a.Reference = cmp.Or(a.Category, b.Category), cmp.Or(a.Reference, b.Reference)
	a.Expires, a.Review, a.Added = cmp.Or(a.Expires, b.Expires), cmp.Or(a.Review, b.Review), cmp.Or(a.Added, b.Added)
	a.Source = cmp.Or(a.Source, b.Source)
	return a
}

func (a *Attributes) append(dst []byte) []byte {
	dst = appendText(dst, "category", a.Category)
	dst = appendText(dst, "ref", a.Reference)
	dst = appendTime(dst, "expires", a.Expires)
	dst = appendTime(dst, "review", a.Review)
	if a.Monitor {
		dst = append(dst, " status=monitor"...)
	}
	return appendText(appendTime(dst, "added", a.Added), "source", a.Source)
}

func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	if !isText(value) {
		value = strings.Map(blankHidden, value)
	}
	dst = append(append(append(dst, ' '), key...), '=')
	if !strings.ContainsAny(value, ` "\#`) {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, value[i])
	}
	return append(dst, '"')
}

func appendTime(dst []byte, key string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	t = t.UTC()
	layout := time.RFC3339
	if t.Unix()%(24*60*60) == 0 {
		layout = time.DateOnly
	}
	dst = append(append(append(dst, ' '), key...), '=')
	return t.AppendFormat(dst, layout)
}

// parse parses the fields after the target of a line, up to a comment or the end. It returns the first mistake, or an
// empty string.
func (a *Attributes) parse(s string) (why string) {
	var seen [7]bool
	for {
		var field string
		if field, s = nextField(s); field == "" {
			return ""
		}
		if why = a.set(field, &seen); why != "" {
			return why
		}
	}
}

// nextField splits off the next field, which ends at white space outside double quotes. If s begins with a comment, the
// field is empty.
func nextField(s string) (field, rest string) {
	s = strings.TrimLeft(s, blanks)
	if s == "" || s[0] == '#' {
		return "", ""
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(blanks, c) >= 0:
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// set parses one key=value field and sets the attribute. It marks the key in seen, to detect duplicates. It returns
// the mistake, or an empty string.
func (a *Attributes) set(field string, seen *[7]bool) (why string) {
	key, value, ok := strings.Cut(field, "=")
	if !ok && strings.HasPrefix(field, ".") {
		return fmt.Sprintf("there is a space before %q", excerpt(field))
	}
	if !ok {
		return fmt.Sprintf("field %q is not key=value; a value with spaces needs double quotes", excerpt(field))
	}
	keys := []string{"category", "ref", "expires", "review", "status", "added", "source"}
	place := slices.Index(keys, key)
	if place < 0 {
		return fmt.Sprintf("unknown attribute %q; there are %s", excerpt(key), strings.Join(keys, ", "))
	}
	if value, ok = unquote(value); !ok {
		return "attribute " + key + ": its value is empty, badly quoted or holds control characters"
	}
	if seen[place] {
		return "attribute " + key + ": it is given twice"
	}
	seen[place] = true
	if why = a.assign(key, value); why != "" {
		return "attribute " + key + ": " + why
	}
	return ""
}

func (a *Attributes) assign(key, value string) (why string) {
	switch key {
	case "category":
		a.Category = value
	case "ref":
		a.Reference = value
	case "expires":
		return setTime(&a.Expires, value)
	case "review":
		return setTime(&a.Review, value)
	case "added":
		return setTime(&a.Added, value)
	case "source":
		a.Source = value
	case "status":
		if a.Monitor = value == "monitor"; !a.Monitor && value != "block" {
			return "it must be block or monitor"
		}
	}
	return ""
}

func setTime(dst *time.Time, value string) (why string) {
	t, ok := parseTime(value)
	*dst = t
	if !ok {
		return needTime
	}
	return ""
}

const needTime = "it needs a day (2027-05-01) or a time (2027-05-01T08:00:00Z) from 1970 to 9999"

// ParseTime parses a day (00:00 UTC) or an RFC 3339 time from 1970 to 9999. It drops fractions of a second. It fails
// with [ErrMalformed].
func ParseTime(s string) (time.Time, error) {
	t, ok := parseTime(s)
	if !ok {
		return t, fmt.Errorf("time %q: %w: %s", excerpt(s), ErrMalformed, needTime)
	}
	return t, nil
}

func parseTime(s string) (time.Time, bool) {
	layout := time.RFC3339
	if len(s) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	t, err := time.Parse(layout, s)
	t = t.UTC().Truncate(time.Second)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// unquote returns a value without quotes and backslashes. It returns false if the value is not valid text.
func unquote(s string) (string, bool) {
	if strings.ContainsAny(s, `"\`) {
		if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
			return "", false
		}
		var ok bool
		if s, ok = unescapeQuoted(s[1 : len(s)-1]); !ok {
			return "", false
		}
	}
	return s, s != "" && isText(s)
}

func unescapeQuoted(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' {
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// isText reports whether s is UTF-8 without control characters and without characters that change the writing
// direction.
func isText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			return utf8.ValidString(s) && !strings.ContainsFunc(s, isHidden)
		}
	}
	return true
}

func isHidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func blankHidden(r rune) rune {
	if isHidden(r) {
		return ' '
	}
	return r
}
