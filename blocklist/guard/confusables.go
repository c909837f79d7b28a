package guard

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"github.com/argine-dns/argine/blocklist"
)

// confusables finds names that look like known names. It compares skeletons: names that look alike have the same
// skeleton.
type confusables struct {
	sites   map[string]string // first known site with each skeleton
	others  map[string]bool   // known sites with the same skeleton as an earlier known site
	letters map[rune]rune     // the Latin letter that each character looks like, see [twins]
}

func newConfusables(lists ...names) confusables {
	l := confusables{sites: map[string]string{}, others: map[string]bool{}, letters: twins()}
	for _, list := range lists {
		for _, name := range list.list {
			l.add(name)
		}
	}
	return l
}

func (l *confusables) add(name blocklist.Name) {
	site := locate(name).site
	if site == "" {
		return
	}
	switch s := l.skeleton(site); l.sites[s] {
	case "":
		l.sites[s] = site
	case site:
	default:
		l.others[site] = true
	}
}

// why returns the reason to report an entry for a site that looks like a known site. The reason is empty if the site
// looks like no other known site.
func (l *confusables) why(site string) (none reason) {
	if len(l.sites) == 0 || site == "" || l.others[site] {
		return none
	}
	known := l.sites[l.skeleton(site)]
	if known == "" || known == site {
		return none
	}
	return reason{text: fmt.Sprintf("%s looks like %s; check which of them is meant", displayed(site), known), example: known}
}

// displayed returns a site as a browser may display it, followed by its A-label form if that differs.
func displayed(site string) string {
	if text := unicodeText(site); text != site {
		return fmt.Sprintf("%s (%s)", text, site)
	}
	return site
}

// unicodeText decodes the A-labels of a name, as far as they can be decoded. It does no mapping or validation, because
// deceptive labels are often invalid.
func unicodeText(text string) string {
	if !strings.Contains(text, "xn--") {
		return text
	}
	out, err := idna.Punycode.ToUnicode(text)
	if err != nil {
		return text
	}
	return out
}

// skeleton replaces each character with the Latin letter that it looks like. It also unifies letter sequences that look
// the same.
func (l *confusables) skeleton(site string) string {
	if site = strings.Map(l.latin, unicodeText(site)); strings.Contains(site, "rn") || strings.Contains(site, "vv") {
		site = strings.ReplaceAll(strings.ReplaceAll(site, "rn", "m"), "vv", "w")
	}
	return site
}

// latin returns the lower-case Latin letter that a character looks like, or else the character itself. It drops
// combining marks.
func (l *confusables) latin(r rune) rune {
	switch {
	case r == '0':
		return 'o'
	case r == '1':
		return 'l'
	case r < 0x80:
		return r
	case r >= 0x300 && r <= 0x36f:
		return -1
	}
	if letter, ok := l.letters[r]; ok {
		return letter
	}
	return r
}

// twins maps characters to the lower-case Latin letters that they look like. The characters are letters of other
// scripts and accented letters.
func twins() map[rune]rune {
	letters := map[rune]rune{}
	for i, like := range []string{
		"аαɑàáâãäåāăąǎạảấầậắặ", "ьƅḃ", "сϲᴄçćĉċč", "ԁɗđďḍ", "еҽèéêëēĕėęěẹẻẽếềệє", "ƒſ", "ɡցĝğġģǧ", "һհĥħḥ",
		"іιɩıìíîïĩīĭįǐịỉ", "јϳĵǰ", "κкķĸ", "ӏǀłĺļľŀḷ", "мṃ", "ոпηñńņňŉṇ", "оοօσסòóôõöøōŏőǒọỏốồộơớờợ",
		"рρþṗ", "ԛզ", "гᴦŕŗřṛ", "ѕꜱśŝşšșṣ", "тτţťŧțṭ", "υսʋᴜùúûüũūŭůűųǔụủưứừự", "νѵᴠṽ", "ѡԝωᴡŵẁẃẅ", "хχҳ", "уүγʏýÿŷỳỵỷỹ",
		"ᴢƶźżžẓ",
	} {
		for _, r := range like {
			letters[r] = 'a' + rune(i)
		}
	}
	return letters
}
