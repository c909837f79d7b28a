package proposal

import (
	"regexp"
	"strings"
)

// mail tracks which part of an e-mail the current line belongs to.
type mail struct {
	begun  bool // whether a line that is not empty was read
	header bool // whether the line is in the header, which ends at the first empty line
	signed bool // whether the line is in a signature, after "--"
	closed bool // whether the line is after the closing words of a letter
}

// Regular expressions for special lines of an e-mail, in several languages.
var (
	headerLine = regexp.MustCompile(`(?i)^(from|to|cc|bcc|reply-to|sent|date|subject|received|return-path|delivered-to|message-id|` +
		`mime-version|content-[a-z-]+|x-[a-z-]+|dkim-signature|list-[a-z-]+|da|a|inviato|data|oggetto)\s*:(.*)`)
	subject = regexp.MustCompile(`(?i)^(subject|oggetto)$`)
	address = regexp.MustCompile(`\S@\S`)
	closing = regexp.MustCompile(`(?i)^((best|kind|warm|many|with) )*(regards|wishes|thanks|sincerely|yours|thank you|(cordiali |distinti |un )?saluti?|` +
		`cordialmente|grazie|mit freundlichen grüßen|cordialement)(?: (a tutti|mille|faithfully|sincerely|again|so much|und))*[\s,.!–-]*$`)
)

// read returns the part of a line that is to be searched for targets, and reports whether targets in it are clearly
// meant as such. If the line is not to be searched, the part is empty.
func (m *mail) read(line string) (text string, sure bool) {
	text = strings.TrimSpace(line)
	quoted := strings.HasPrefix(text, ">")
	text = strings.TrimLeft(text, "> ")
	named := headerLine.FindStringSubmatch(text)
	switch {
	case text == "":
		m.header = false
	case !m.begun && named != nil:
		m.header = true
	case quoted || named != nil || strings.HasPrefix(text, "-----"):
		m.signed, m.closed = false, false // the e-mail that is answered or forwarded
	case text == "--":
		m.signed = true
	case closing.MatchString(text):
		m.closed = true
	}
	m.begun = m.begun || text != ""
	switch {
	case named != nil && subject.MatchString(named[1]):
		return named[2], true
	case m.header, m.signed, named != nil && (address.MatchString(text) || len(named[1]) > 1):
		return "", false
	}
	return line, !m.closed
}
