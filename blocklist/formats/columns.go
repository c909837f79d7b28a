package formats

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/argine-dns/argine/blocklist"
)

// targetColumns are the columns that name the target of a row. If a row has values in several, the first one counts.
func targetColumns() []string { return []string{"url", "host", "domain", "ip"} }

// Columns that limit whether, and for how long, a row applies.
const (
	removedColumn  = "removed"  // column that says whether a row was removed: empty, the time of removal, or yes or no
	activeColumn   = "active"   // column that says whether a row is valid: yes or no, or the time at which validity starts
	expiresColumn  = "expires"  // column with the time at which validity ends
	startingColumn = "starting" // column with the time at which validity starts
)

// TargetColumns returns common names for the column with the target of a row. In names of columns, letter case,
// spaces and punctuation do not matter.
func TargetColumns() []string {
	return []string{"domain", "domain name", "fqdn", "host", "hostname", "url", "uri", "ip", "ip address", "cidr"}
}

// Ignored as a value of [Options].Columns means that the reader ignores the column.
const Ignored = "ignore"

// Columns returns one name for each kind of column that the reader uses.
func Columns() []string {
	return []string{
		"url", "host", "domain", "ip", "category", "ref", "added", "review", "status", "active", "valid_from", expiresColumn,
		removedColumn,
	}
}

// columnMeaning returns the kind of column that a name in a header stands for, or an empty string if the name is
// unknown. The Polish names are from Polish registers.
func columnMeaning(name string) string {
	switch plainColumn(name) {
	case "domain", "domains", "domainname", "domainaddress", "fqdn", "adresdomeny":
		return "domain"
	case "host", "hostname":
		return "host"
	case "url", "uri":
		return "url"
	case "ip", "ipaddress", "cidr":
		return "ip"
	case "category":
		return "category"
	case "ref", "reference":
		return "ref"
	case "review":
		return "review"
	case "added", "addedat", "dateadded", "insertdate", "datawpisu":
		return "added"
	case "status":
		return "status"
	case "expires", "expiresat", "expiry", "expirydate", "expiration", "expirationdate", "validuntil", "validto",
		"validtill",
		"end", "enddate", "dateend", "until", "till", "bis", "hasta":
		return expiresColumn
	case "validfrom", "startdate", "effectivefrom":
		return startingColumn
	case "active", "isactive", "enabled", "isenabled", "blocked", "isblocked", "inforce":
		return activeColumn
	case "removed", "removedat", "removedon", "removaldate", "dateremoved", "isremoved",
		"deleted", "deletedat", "deletedate", "deletiondate", "datedeleted", "isdeleted",
		"delisted", "delistedat", "delistdate", "delistingdate", "datedelisted", "unlisted", "unblocked", "unblockedat",
		"unblockdate",
		"revoked", "revokedat", "revocationdate", "withdrawn", "withdrawnat", "lifted", "liftedat", "inactive", "disabled",
		"datawykreslenia", "datawykreślenia":
		return removedColumn
	}
	return ""
}

// plainColumn returns the letters and digits of a column name, in lower case.
func plainColumn(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// mayLimit reports whether an unknown column may say that a row no longer applies. It looks for the stems of common
// words for removal, in several languages. A table with such a column is refused, since a missed removal would block
// a name that is no longer listed.
func mayLimit(name string) bool {
	name = plainColumn(name)
	return slices.ContainsFunc(limitingStems(), func(stem string) bool { return strings.Contains(name, stem) })
}

func limitingStems() []string {
	return []string{
		"remov", "delet", "delist", "unlist", "unblock", "revok", "revoc", "withdr", "expir", "until", "valid", "inactive",
		"disabled", "lift",
		"cancel", "archived", "obsolete", "allowed", "whitelist",
		// German, Scandinavian
		"gelöscht", "geloescht", "löschdatum", "löschung", "entfernt", "entsperr", "aufgehoben", "aufhebung", "gültig",
		"gueltig", "aktiv",
		"supprim", "suppression", "retir", "retrait", "levée", "levee", "mainlevée", "débloq", "debloq", // French
		"elimin", "baja", "borrad", "desbloq", "ativo", "levantad", // Spanish, Portuguese
		"rimoz", "rimoss", "cancell", "sbloc", "cessaz", "attiv", "scaden", // Italian
		"wykre", "usuni", "uchyl", "aktywn", "zruš", "vyřaz", "odstran", // Polish, Czech, Slovak, Slovene, Croatian
		// Dutch, Scandinavian, Finnish, Hungarian
		"verwijder", "opheff", "opgehev", "borttag", "avförd", "fjern", "slett", "poist", "törö",
		"kaldır", "kaldir", "снят", "исключ", "удал", "разблок", "актив", "премах", // Turkish, Russian, Bulgarian
	}
}

// stranger is a column with an unknown name. Its values may still show that it limits rows: if it has dates in some
// rows and nothing in others, the dates may be dates of removal.
type stranger struct {
	field int
	name  string // name in the header, for messages
	empty bool   // whether some row has no value
	day   int    // first line with a date; 0: none
}

// see records what the value in one row shows about the column. It returns a reason to refuse the table if the value is
// a status of rows that are not listed, or if the column has dates in some rows and nothing in others. Otherwise it
// returns an empty string.
func (s *stranger) see(text string, line int) (refusal string) {
	out := statusOut(text) != ""
	s.empty = s.empty || text == "" || isNothing(text)
	if s.day == 0 && isDay(text) {
		s.day = line
	}
	if out || s.day > 0 && s.empty {
		return fmt.Sprintf("column %q is not known and may say that a row counts no more (line %d); "+
			"call it removed, expires or active, or take it out", s.name, cmp.Or(s.day, line))
	}
	return ""
}

// isHarmless reports whether an unknown column can't limit its rows, since its name says that it has the time at
// which a target was seen, or a row was written.
func isHarmless(name string) bool {
	name = plainColumn(name)
	return slices.ContainsFunc([]string{"seen", "online", "check", "updat", "modif", "creat", "insert", "first", "last"},
		func(stem string) bool {
			return strings.Contains(name, stem)
		})
}

// isDay reports whether a text begins with a numeric date, with the year first or last: 2026-05-11, 11.5.2026,
// 5/11/2026.
func isDay(text string) bool {
	if text == "" || !isDigit(text[0]) {
		return false
	}
	text, _, _ = strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '.' || r == '/' })
	if len(parts) != 3 || strings.Trim(text, digits+"-./") != "" {
		return false
	}
	return len(parts[0]) == 4 && len(parts[2]) <= 2 || len(parts[2]) == 4 && len(parts[0]) <= 2
}

// limit is a column that limits rows: it says whether a row applies, from when, or until when.
type limit struct {
	field   int
	meaning string
	name    string // name in the header, for messages
}

// apply evaluates the column's value in one row. It returns why the row does not apply now, or why the value is
// unusable; otherwise both are empty. If the value is the end of the row's validity, it becomes the expiry in the
// attributes a, unless they already have an earlier expiry.
func (l limit) apply(text string, now time.Time, a *blocklist.Attributes) (out, wrong string) {
	outside := fmt.Sprintf("out of force by column %q", l.name)
	at, err := parseTime(text)
	yes, no := says(text)
	noTime := text != "" && !no && err != nil
	switch l.meaning {
	case activeColumn:
		if no || err == nil && at.After(now) {
			return outside, ""
		}
		if !yes && err != nil {
			return "", fmt.Sprintf("column %q says neither yes nor no", l.name)
		}
		return "", ""
	case startingColumn, expiresColumn:
		if noTime {
			return "", l.meaning + " is not a day or time"
		}
	case removedColumn:
		if text != "" && !no && !at.After(now) {
			return outside, ""
		}
	}
	return l.applyTime(at, now, a, outside)
}

// applyTime applies the time in a column: the start or the end of the row's validity. If the start is in the future, it
// returns the argument outside as the reason why the row does not apply. If the time is the end of the validity, it
// becomes the expiry in the attributes a, unless they already have an earlier expiry.
func (l limit) applyTime(at, now time.Time, a *blocklist.Attributes, outside string) (out, wrong string) {
	switch {
	case l.meaning == startingColumn && at.After(now):
		return outside, ""
	case l.meaning == startingColumn || at.IsZero():
	case a.Expires.IsZero() || at.Before(a.Expires):
		a.Expires = at
	}
	return "", ""
}

// says reports whether a value means yes, or means no. Many values mean neither.
func says(text string) (yes, no bool) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on", "active", "enabled", "blocked", "tak":
		return true, false
	case "0", "no", "n", "false", "f", "off", "inactive", "disabled", "unblocked", "nie":
		return false, true
	}
	return false, isNothing(text)
}

// isNothing reports whether a value is a word for "no value".
func isNothing(text string) bool {
	switch strings.ToLower(text) {
	case "-", "none", "null", "n/a", "0000-00-00", "0000-00-00 00:00:00":
		return true
	}
	return false
}

// statusOut returns why a row with this status is not listed, or an empty string if the status does not matter.
func statusOut(status string) string {
	switch strings.ToLower(status) {
	case "inactive", "removed", "deleted", "delisted", "unlisted", "unblocked", "revoked", "withdrawn", "lifted",
		"expired", "disabled",
		"allow", "allowed", "cancelled", "canceled":
		return fmt.Sprintf("out of force by status %q", strings.ToLower(status))
	}
	return ""
}

func parseTime(text string) (time.Time, error) {
	if len(text) == len(time.DateTime) { // such as 2026-03-05 08:00:00, read as UTC
		text = strings.Replace(text, " ", "T", 1) + "Z"
	}
	return blocklist.ParseTime(text)
}
