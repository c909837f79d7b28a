package publish

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Texts that the program itself records in the history. They are stored on disk, so they must never change.
var (
	// CauseImport is recorded as the reason of an import if the author gives no reason. Its value is the name of the
	// imported file.
	CauseImport = recorded("said.import", "import of %s", whole)
	// CauseChecks is recorded as the reason of a page check operation if the author gives no reason. Its value is the name
	// of the file with the results.
	CauseChecks = recorded("said.checks", "checks of %s", whole)
	// CauseReport is recorded as the reason of the step that adds proposals which a program has sent as reports.
	CauseReport = recorded("said.report", "sent as a report", whole)
	// CauseSource is recorded as the reference of proposals that come from another agency's list. Its values are the name
	// of that list, and the serial, the digest and the signers of its release.
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

	skippedRefused   = recorded("said.skip.refused", "refused", part)
	skippedDiscarded = recorded("said.skip.discarded", "discarded", part)
	skippedReplaced  = recorded("said.skip.replaced", "replaced", part)
	skippedAside     = recorded("said.skip.aside", reasonAside, part)
	skippedSerial    = recorded("said.skip", "serial %d"+signedBy+"%s", whole)

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

// foundAt marks, in the reason of an operation, urgent orders that were copied from an origin where they were already
// in force. The name of the origin follows.
const foundAt = "found at "

// reasonAside is the recorded reason of an operation of [KindSkip] in a recovery.
const reasonAside = "set aside by a recovery"

// signedBy separates the serial from its signers in the reference of an operation of [KindSkip].
const signedBy = " signed by "

// askedPrefix comes before the name of the person who has asked for urgent orders, in the reason of an operation.
const askedPrefix = "asked for by "

// Regular expressions for the end of a recorded phrase.
const (
	whole = `$`              // pattern for the end of the text
	part  = `(?:; |, |: |$)` // pattern for the end of the text, or for a separator before more text

	reasoned = `(?:: |$)` // pattern for the end of the text, or for a colon before a reason
)

// recordedPhrase is a phrase that can be parsed back from a recorded text. In its pattern, %d matches a number, %v a
// day or urgent limits, and %s the shortest possible text. A %s at the beginning is a list, which has no blanks.
type recordedPhrase struct {
	Phrase
	pattern func() *regexp.Regexp
}

func recorded(key, text, end string) recordedPhrase {
	return recordedPhrase{Phrase{key, text}, sync.OnceValue(func() *regexp.Regexp {
		verbs := strings.NewReplacer("^%s ", `^(\S+) `, "%d", `(\d{1,18})`, "%s", `(.+?)`, "%v", `(\d{4}-\d\d-\d\d|`+limitsPattern+`)`)
		return regexp.MustCompile(verbs.Replace("^"+regexp.QuoteMeta(text)) + end)
	})}
}

// reader parses recorded phrases one after another, from the beginning of a text.
type reader struct {
	rest string
	said Messages
	end  string // separator after the last parsed phrase
}

// takeOne parses one phrase at the beginning of the text, the first of the given ones that matches, and removes it from
// the text. It reports whether a phrase matched.
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

// valueOf parses the text that stands in place of a verb (%d, %v or %s) of a phrase.
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
