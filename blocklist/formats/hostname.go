package formats

import "github.com/argine-dns/argine/blocklist"

const (
	root = blocklist.Name("\x00") // the root of the DNS
	star = "\x01*"                // label of a wildcard, in wire form
)

// hostWire parses a host name to wire form: labels of letters, digits, hyphens and underscores. The top-level domain
// must not be a number, since such text is an address or a version. It returns the number of labels, or 0 if the text
// is not a host name.
func hostWire(dst []byte, text string) (wire []byte, labels int) {
	wire, labels = blocklist.AppendHostname(dst, text)
	if labels == 0 {
		wire, labels = unusualHostWire(dst, text)
	}
	if labels == 0 || endsInNumber(wire) {
		return nil, 0
	}
	return wire, labels
}

// unusualHostWire is hostWire for names with escapes or Unicode letters.
func unusualHostWire(dst []byte, text string) (wire []byte, labels int) {
	wire, err := blocklist.AppendName(dst, text)
	if err != nil {
		return nil, 0
	}
	for rest := wire; len(rest) > 1; labels++ {
		label := rest[1 : 1+int(rest[0])]
		rest = rest[1+len(label):]
		for _, c := range label {
			if !isPlain(c) {
				return nil, 0
			}
		}
	}
	return wire, labels
}

// endsInNumber reports whether the top-level domain of a name in wire form is a number. It returns true for the root.
func endsInNumber[T ~string | ~[]byte](wire T) bool {
	number := true
	for len(wire) > 1 {
		end := 1 + int(wire[0])
		number = true
		for i := 1; i < end && number; i++ {
			number = isDigit(wire[i])
		}
		wire = wire[end:]
	}
	return number
}

func isDigit(c byte) bool { return c-'0' < 10 }

// isPlain reports whether a character occurs in host names.
func isPlain(c byte) bool { return c|0x20-'a' < 26 || isDigit(c) || c == '-' || c == '_' }

// endsInDigit reports whether a non-empty text ends in a digit.
func endsInDigit(text string) bool { return isDigit(text[len(text)-1]) }

// topLabel returns the top-level domain as text, or an empty string for the root.
func topLabel(n blocklist.Name) string {
	top := ""
	for suffix := range n.Suffixes() {
		top = string(suffix[1 : len(suffix)-1])
	}
	return top
}
