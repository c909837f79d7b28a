package publish

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the program records in the history. The texts are on disk: they stay as they are.
var (
	// CauseImport is the reason of an import that has none: its file.
	CauseImport = recorded("said.import", "import of %s", whole)
	// CauseChecks is the reason of checks of pages that have none: their file.
	CauseChecks = recorded("said.checks", "checks of %s", whole)
	// CauseReport is the reason of a proposal that a program has sent.
	CauseReport = recorded("said.report", "sent as a report", whole)
	// CauseSource is the reference of what another list has proposed: the list, its serial, its digest and its signers.
	CauseSource = recorded("said.source", "%s@%d, digest %s, signed by %s", whole)

	repeated           = recorded("said.again", "again after a recovery, first operation %d of %v", part)
	repeatedSubscriber = recorded("said.again.subscriber", "again after a recovery", part)
	clockConfirmed     = Phrase{"said.clock", "clock confirmed"}

	whatRoot    = recorded("what.root", "%s root %d", part)
	whatOrders  = recorded("what.orders", "%s urgent orders %d on serial %d", part)
	whatRelease = recorded("what.release", "%s serial %d", part)
	whatPart    = recorded("what.part", "%s in %s", part)

	sentRelease = recorded("said.push", "%s serial %d to %s", whole)
	sentOrders  = recorded("said.push.urgent", "urgent orders %d to %s", whole)

	signedOrders  = recorded("said.urgent", "urgent orders %d on serial %d", part)
	orderedTarget = recorded("", "%s", part)
	adoptedOrders = recorded("said.urgent.found", "which %s signed, "+foundAt+"%s", part)
	askedBy       = Phrase{"said.asked", askedPrefix + "%s"}

	keptOrders      = recorded("said.urgent.kept", "what urgent orders block stays listed", part)
	endedOrders     = recorded("said.urgent.ended", "lets urgent orders end with the next release: %s", reasoned)
	cancelledOrders = recorded("said.urgent.cancelled", "cancels urgent orders that no one has signed, asked for by %s: %s", reasoned)

	skippedRefused  = recorded("said.skip.refused", "refused", part)
	skippedReplaced = recorded("said.skip.replaced", "replaced", part)
	skippedAside    = recorded("said.skip.aside", reasonAside, part)
	skippedSerial   = recorded("said.skip", "serial %d"+signedBy+"%s", whole)

	undone        = recorded("said.undo", "operation %d", whole)
	confirmedOne  = recorded("said.proposal", "proposal %d", whole)
	confirmedMany = recorded("said.proposals", "proposals %s", whole)
	confirmedMore = recorded("said.proposals.more", "proposals %s and %d more", whole)
	gaveRole      = Phrase{"said.role", "%s %s"}

	adopted       = recorded("said.recover", "serial %d adopted as it was signed", part)
	unknownAll    = recorded("said.recover.all", "the operations that led to it are not known here", part)
	unknownSince  = recorded("said.recover.since", "the operations after serial %d that led to it are not known here", part)
	recoveryNotes = Phrase{"said.recover.notes", "with notes"}
)

// foundAt is part of the reason of orders that were taken over from an origin. They were in force already.
const foundAt = "found at "

// reasonAside is the reason of an operation of [KindSkip] that a recovery records.
const reasonAside = "set aside by a recovery"

// signedBy separates serial and signers in the reference of an operation of [KindSkip].
const signedBy = " signed by "

// askedPrefix begins what says who has asked for urgent orders.
const askedPrefix = "asked for by "

// Ends of a recorded phrase.
const (
	whole = `$`              // nothing follows it
	part  = `(?:; |, |: |$)` // something may

	reasoned = `(?:: |$)` // a reason may
)

// recordedPhrase is a phrase that can be read again: %d is a number, %v a day or urgent limits, and %s a text, as short
// as it can be.
type recordedPhrase struct {
	Phrase
	pattern func() *regexp.Regexp
}

func recorded(key, text, end string) recordedPhrase {
	return recordedPhrase{Phrase{key, text}, sync.OnceValue(func() *regexp.Regexp {
		verbs := strings.NewReplacer("%d", `(\d{1,18})`, "%s", `(.+?)`, "%v", `(\d{4}-\d\d-\d\d|`+limitsPattern+`)`)
		return regexp.MustCompile(`^` + verbs.Replace(regexp.QuoteMeta(text)) + end)
	})}
}

// reader reads recorded phrases from the beginning of a text.
type reader struct {
	rest string
	said Messages
	end  string // what separates the last phrase from the rest
}

// takeOne takes the first of some phrases with which the text begins. It reports whether it does with any.
func (r *reader) takeOne(phrases ...recordedPhrase) bool {
	for _, p := range phrases {
		found := p.pattern().FindStringSubmatch(r.rest)
		if found == nil {
			continue
		}
		var values []any
		verbs := verb.FindAllString(p.Text, -1)
		for i, text := range found[1:] {
			values = append(values, valueOf(verbs[i], text))
		}
		r.said, r.rest = append(r.said, p.With(values...)), r.rest[len(found[0]):]
		r.end = separator.FindString(found[0])
		return true
	}
	return false
}

var (
	verb      = regexp.MustCompile(`%[dsv]`)
	separator = regexp.MustCompile(`[;,:] $`)
)

// valueOf returns the value of a verb from its text.
func valueOf(verb, text string) any {
	switch verb {
	case "%d":
		n, _ := strconv.ParseInt(text, 10, 64) // the pattern has digits only
		return n
	case "%v":
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return Day(day)
		}
		var u UrgentLimits
		_, _ = fmt.Sscanf(text, limitsText, &u.Entries, &u.Hours) // zero for none
		return u
	}
	return text
}
