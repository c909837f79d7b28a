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

// The columns that name what a row lists, in the order in which the first that has something is taken.
func targetColumns() []string { return []string{"url", "host", "domain", "ip"} }

// Columns that limit how long or whether a row counts.
const (
	removedColumn  = "removed"  // empty, or when or that it was taken off
	activeColumn   = "active"   // yes or no
	expiresColumn  = "expires"  // until when
	startingColumn = "starting" // from when
)

// columnMeaning maps the names that columns have in the wild to what they mean here; it is empty for others.
// InsertDate and the like are from the Polish registers.
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

// plainColumn leaves letters and digits of a column's name, in lower case.
func plainColumn(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// mayLimit reports whether a column that is not known may say that a row counts no more, by stems of the words for
// that. Such a table is refused: taking off a list is as important as putting on it.
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

// stranger is a column whose name says nothing here. It may limit its rows all the same, in any language: a day in
// some rows, and nothing in others, may say since when the former count no more.
type stranger struct {
	field int
	name  string // as in the header, for messages
	empty bool   // in some row
	day   int    // the first line in which it has a day, or 0
}

// see takes notice of the field in a row. It returns why the table is refused, or nothing.
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

// isHarmless reports whether a column says what was seen of a target, or when its row was written: neither is every
// row's, nor limits it.
func isHarmless(name string) bool {
	name = plainColumn(name)
	return slices.ContainsFunc([]string{"seen", "online", "check", "updat", "modif", "creat", "insert", "first", "last"},
		func(stem string) bool {
			return strings.Contains(name, stem)
		})
}

// isDay reports whether a text begins with a day in numbers, with the year before or behind, as in 2026-05-11,
// 11.5.2026 and 5/11/2026.
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

// limit is a column that takes rows out.
type limit struct {
	field   int
	meaning string
	name    string // as in the header, for messages
}

// apply reads the field of a row: why the row does not count now, or can't be read. An end that is still to come is
// the expiry.
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

// applyTime applies the time in a column: from when on the row counts, or until when.
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

// says reads a yes or no; many fields are neither.
func says(text string) (yes, no bool) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on", "active", "enabled", "blocked", "tak":
		return true, false
	case "0", "no", "n", "false", "f", "off", "inactive", "disabled", "unblocked", "nie":
		return false, true
	}
	return false, isNothing(text)
}

// isNothing reports whether a field says in a word that it has no value.
func isNothing(text string) bool {
	switch strings.ToLower(text) {
	case "-", "none", "null", "n/a", "0000-00-00", "0000-00-00 00:00:00":
		return true
	}
	return false
}

// statusOut says that a status takes its row off the list.
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
	if len(text) == len(time.DateTime) { // 2026-03-05 08:00:00, taken as UTC
		text = strings.Replace(text, " ", "T", 1) + "Z"
	}
	return blocklist.ParseTime(text)
}
