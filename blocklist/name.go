package blocklist

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of RFC 1035, section 2.3.4.
const (
	MaxLabel = 63  // maximum length of a label, in bytes
	MaxName  = 255 // maximum length of a name in wire form, in bytes, with length bytes and root
)

// Name is a host name in canonical form: lower-case wire format (RFC 1035, section 3.1) with the root label, and with
// IDN labels as A-labels. In this form, each parent domain is a suffix of the name. The zero value is not a valid name.
type Name string

// uLabels maps Unicode labels like browsers (UTS-46, non-transitional). It is used only for names with non-ASCII
// characters. ASCII names stay as they are, even if they are invalid by IDNA.
var uLabels = idna.New( //nolint:gochecknoglobals // never changed
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.BidiRule(),
)

// ParseName parses a host name in presentation form: any case, with or without the trailing dot, with RFC 1035 escapes
// (\. and \DDD) and Unicode labels (mapped by UTS-46). It fails with [ErrMalformed] for empty labels and for names that
// are too long.
func ParseName(text string) (Name, error) {
	var buf [MaxName]byte
	wire, err := AppendName(buf[:0], text)
	if err != nil {
		return "", err
	}
	return Name(wire), nil
}

// AppendName parses a name like [ParseName], and appends its wire form to dst. It does not allocate for ASCII names.
func AppendName(dst []byte, text string) ([]byte, error) {
	out, why := appendName(dst, text)
	if why != "" {
		return dst, fmt.Errorf("name %q: %w: %s", excerpt(text), ErrMalformed, why)
	}
	return out, nil
}

// hostOctets maps letters of either case, digits, hyphen and underscore to lower case, and all other bytes to zero.
var hostOctets = func() (octets [256]byte) { //nolint:gochecknoglobals // a constant table
	for c := range octets {
		if l := lower(byte(c)); plain(l) || l == '.' {
			octets[c] = l
		}
	}
	return octets
}()

// AppendHostname is a faster [AppendName] for names of letters, digits, hyphens and underscores only. It returns the
// number of labels. For other text, it returns 0 and leaves dst unchanged.
func AppendHostname(dst []byte, text string) (_ []byte, labels int) {
	text = strings.TrimSuffix(text, ".")
	if text == "" || len(text)+2 > MaxName {
		return dst, 0
	}
	start := len(dst)
	out := slices.Grow(dst, len(text)+2)[:start+len(text)+2]
	wire := out[start:]
	// place of the current label's length octet; the octets of a label have the places that they have in text, and one
	length := 0
	for i := range len(text) {
		c := hostOctets[text[i]]
		if wire[i+1] = c; c > '.' || c == '-' {
			continue
		}
		if c == 0 || !endLabel(wire, length, i) {
			return dst, 0
		}
		length = i + 1
		labels++
	}
	if !endLabel(wire, length, len(text)) {
		return dst, 0
	}
	wire[len(text)+1] = 0
	return out, labels + 1
}

// endLabel sets the length byte of a label. The offset of the length byte is the argument length, and the offset of the
// label's last byte is the argument last. It returns false if the label is empty or too long.
func endLabel(wire []byte, length, last int) bool {
	n := last - length
	wire[length] = byte(n)
	return n > 0 && n <= MaxLabel
}

func appendName(dst []byte, text string) (_ []byte, why string) {
	if out, labels := AppendHostname(dst, text); labels > 0 {
		return out, ""
	}
	if text == "." {
		return append(dst, 0), ""
	}
	if !isASCII(text) {
		if text, why = toASCII(text); why != "" {
			return dst, why
		}
	}
	return appendLabels(dst, text)
}

// toASCII maps a name with Unicode labels to A-labels. Like browsers, it refuses names that are mapped to characters
// other than letters, digits, hyphens, underscores and dots, since such names only deceive. If it refuses a name, it
// returns the reason (why).
func toASCII(text string) (_, why string) {
	if len(text) > utf8.UTFMax*MaxName { // idna needs quadratic time
		return "", "longer than 255 octets"
	}
	if !utf8.ValidString(text) {
		return "", "not UTF-8"
	}
	// The tables of x/net are older than Unicode 15.1, in which a capital sharp s maps to a sharp s, not to ss.
	ascii, err := uLabels.ToASCII(strings.ReplaceAll(text, "\u1e9e", "\u00df"))
	if err != nil {
		return "", err.Error()
	}
	for i := range len(ascii) {
		if c := lower(ascii[i]); !plain(c) && c != '.' {
			return "", "a name with Unicode letters holds no " + strconv.QuoteRune(rune(c))
		}
	}
	return ascii, ""
}

// appendLabels appends the wire form of an ASCII name in lower case. If it can't, it returns the reason.
func appendLabels(dst []byte, text string) (_ []byte, why string) {
	start, length := len(dst), len(dst) // offsets of the name and of the current length byte
	dst = append(dst, 0)
	for i := 0; i < len(text); {
		c := text[i]
		if c == '.' {
			if why = closeLabel(dst, length); why != "" {
				return dst, why
			}
			length = len(dst)
			dst = append(dst, 0)
			i++
			continue
		}
		n := 1
		if c == '\\' {
			if c, n = unescape(text[i:]); n == 0 {
				return dst, `a backslash needs a character or three digits up to 255 after it`
			}
		}
		dst = append(dst, lower(c))
		i += n
		if len(dst)-start > MaxName+1 {
			return dst, "longer than 255 octets"
		}
	}
	if length != len(dst)-1 { // no trailing dot: the last label is not ended yet
		if why = closeLabel(dst, length); why != "" {
			return dst, why
		}
		dst = append(dst, 0)
	} else if length == start {
		return dst, "empty"
	}
	if len(dst)-start > MaxName {
		return dst, "longer than 255 octets"
	}
	return dst, ""
}

func closeLabel(dst []byte, length int) (why string) {
	n := len(dst) - length - 1
	if n == 0 {
		return "empty label"
	}
	if n > MaxLabel {
		return "label longer than 63 octets"
	}
	dst[length] = byte(n)
	return ""
}

// unescape parses the escape \X or \DDD at the start of s. It returns the byte and the length of the escape, or length
// 0 if the escape is malformed.
func unescape(s string) (c byte, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if s[1] < '0' || s[1] > '9' {
		return s[1], 2
	}
	if len(s) < 4 {
		return 0, 0
	}
	v := 0
	for _, d := range []byte(s[1:4]) {
		if d < '0' || d > '9' {
			return 0, 0
		}
		v = v*10 + int(d-'0')
	}
	if v > 255 {
		return 0, 0
	}
	return byte(v), 4
}

// NameFromWire parses an uncompressed name in wire form, such as the name in a DNS question, and converts it to lower
// case.
func NameFromWire(wire []byte) (Name, error) {
	if len(wire) > MaxName {
		return "", fmt.Errorf("wire name: %w: longer than 255 octets", ErrMalformed)
	}
	i := 0
	for i < len(wire) && wire[i] != 0 {
		if wire[i] > MaxLabel {
			return "", fmt.Errorf("wire name: %w: label longer than 63 octets", ErrMalformed)
		}
		i += 1 + int(wire[i])
	}
	if i != len(wire)-1 {
		return "", fmt.Errorf("wire name: %w: does not end with the root label", ErrMalformed)
	}
	var buf [MaxName]byte
	out := buf[:len(wire)]
	for i, c := range wire {
		out[i] = lower(c) // length bytes are at most 63, so lower leaves them as they are
	}
	return Name(out), nil
}

// String returns the presentation form without the trailing dot. Bytes other than letters, digits, hyphens and
// underscores are escaped. The root is ".".
func (n Name) String() string {
	if n == "\x00" {
		return "."
	}
	var buf [4 * MaxName]byte
	return string(n.Append(buf[:0]))
}

// Append appends the result of [Name.String], but nothing for the root.
func (n Name) Append(dst []byte) []byte {
	start := len(dst)
	for label := range n.labels() {
		dst = append(appendLabel(dst, label), '.')
	}
	return dst[:max(start, len(dst)-1)]
}

// appendLabel appends a label in presentation form.
func appendLabel(dst []byte, label string) []byte {
	start := len(dst)
	dst = append(dst, label...)
	for i := range len(label) {
		if plain(label[i]) {
			continue
		}
		dst = dst[:start+i]
		for ; i < len(label); i++ {
			switch c := label[i]; {
			case plain(c):
				dst = append(dst, c)
			case c > ' ' && c < 0x7f:
				dst = append(dst, '\\', c)
			default:
				dst = appendDecimal(dst, c)
			}
		}
		return dst
	}
	return dst
}

// appendDecimal appends a byte as a backslash and three digits.
func appendDecimal(dst []byte, c byte) []byte {
	return append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
}

// Labels returns the number of labels, without the root.
func (n Name) Labels() int {
	count := 0
	for range n.labels() {
		count++
	}
	return count
}

// IsRoot reports whether n is the root of the DNS.
func (n Name) IsRoot() bool { return n == "\x00" }

// Parent returns the name without its first label. It returns false for the root and for an invalid name.
func (n Name) Parent() (Name, bool) {
	if len(n) < 2 {
		return "", false
	}
	return n[1+int(n[0]):], true
}

// Suffixes yields the name and its parents up to the top-level domain.
func (n Name) Suffixes() iter.Seq[Name] {
	return func(yield func(Name) bool) {
		for len(n) > 1 && yield(n) {
			n = n[1+int(n[0]):]
		}
	}
}

// Within reports whether n is the parent or a name below it.
func (n Name) Within(parent Name) bool {
	for s := range n.Suffixes() {
		if s == parent {
			return true
		}
	}
	return false
}

// IsHostname reports whether all labels consist of letters, digits, hyphens and underscores.
func (n Name) IsHostname() bool {
	for label := range n.labels() {
		for i := range len(label) {
			if !plain(label[i]) {
				return false
			}
		}
	}
	return len(n) > 1
}

// numeric reports whether all labels consist of digits. The text of such a name looks like a number or an address.
func (n Name) numeric() bool {
	for label := range n.labels() {
		for i := range len(label) {
			if c := label[i]; c < '0' || c > '9' {
				return false
			}
		}
	}
	return len(n) > 1
}

func (n Name) labels() iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := range n.Suffixes() {
			if !yield(string(s[1 : 1+int(s[0])])) {
				return
			}
		}
	}
}

// plain reports whether c is a lower-case letter, digit, hyphen or underscore: presentation form shows these
// unescaped.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
