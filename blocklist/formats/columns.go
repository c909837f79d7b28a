package formats

import (
	"fmt"
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

// columnMeaning maps the names that columns have in the wild to what they mean here; it is empty for others. InsertDate and the
// like are from the Polish registers.
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
	case "expires", "expiresat", "expiry", "expirydate", "expiration", "expirationdate", "validuntil", "validto", "enddate", "until":
		return expiresColumn
	case "validfrom", "startdate", "effectivefrom":
		return startingColumn
	case "active", "isactive", "enabled", "isenabled", "blocked", "isblocked", "inforce":
		return activeColumn
	case "removed", "removedat", "removedon", "removaldate", "dateremoved", "isremoved",
		"deleted", "deletedat", "deletedate", "deletiondate", "datedeleted", "isdeleted",
		"delisted", "delistedat", "delistdate", "delistingdate", "datedelisted", "unlisted", "unblocked", "unblockedat", "unblockdate",
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

// mayLimit reports whether a column that is not known may say that a row counts no more. Such a table is refused: taking off a
// list is as important as putting on it.
func mayLimit(name string) bool {
	name = plainColumn(name)
	for _, stem := range []string{"remov", "delet", "delist", "unlist", "unblock", "revok", "revoc", "withdr", "expir", "until", "inactive",
		"disabled", "wykre", "rimoz", "rimoss"} {
		if strings.Contains(name, stem) {
			return true
		}
	}
	return false
}

// limit is a column that takes rows out.
type limit struct {
	field   int
	meaning string
	name    string // as in the header, for messages
}

// apply reads the field of a row: why the row does not count now, or can't be read. An end that is still to come is the expiry.
func (l limit) apply(text string, now time.Time, a *blocklist.Attributes) (out, wrong string) {
	at, err := parseTime(text)
	switch yes, no := says(text); {
	case l.meaning == activeColumn && (no || err == nil && at.After(now)), l.meaning == startingColumn && at.After(now),
		l.meaning == removedColumn && !no && text != "" && !at.After(now):
		return fmt.Sprintf("out of force by column %q", l.name), ""
	case l.meaning == activeColumn && !yes && err != nil:
		return "", fmt.Sprintf("column %q says neither yes nor no", l.name)
	case (l.meaning == startingColumn || l.meaning == expiresColumn) && text != "" && !no && err != nil:
		return "", l.meaning + " is not a day or time"
	case at.IsZero() || l.meaning == activeColumn || l.meaning == startingColumn:
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
	case "0", "no", "n", "false", "f", "off", "inactive", "disabled", "unblocked", "nie", "-", "none", "null", "n/a", "0000-00-00", "0000-00-00 00:00:00":
		return false, true
	}
	return false, false
}
