package publish

import (
	"slices"
	"strings"
)

// Cause is the reason and the reference of an operation. The texts that the program has recorded and the texts of the
// author are in separate fields.
type Cause struct {
	Said      Messages // messages that the program has recorded in the reason
	Reason    string
	Override  string   // the author's reason to override the guards; empty: they were not overridden
	Named     Messages // messages that the program has recorded in the reference
	Reference string
}

// CauseOf parses the reason and the reference of an operation. A text counts as a message of the program if it has
// exactly the form in which the program records such a message. Any other text is the author's. CauseOf leaves out
// messages that only repeat the kind of the operation, and hashes and signatures that only serve as proofs.
func CauseOf(o Operation) (c Cause) {
	reason, override, doubted := o.Stated()
	r := reader{rest: reason}
	r.takeOne(repeated, repeatedSubscriber)
	r.readReason(o.Kind)
	c.Said, c.Reason, c.Override = r.said, r.rest, override
	if doubted {
		c.Said = append(c.Said, clockConfirmed.With())
	}
	r = reader{rest: StatedReference(o)}
	r.readReference(o.Kind)
	c.Named, c.Reference = r.said, r.rest
	return c
}

// readReason parses the reason of an operation of this kind. It moves the texts that the program has recorded from
// r.rest to r.said, or drops them.
func (r *reader) readReason(kind string) {
	switch kind {
	case KindInit, KindProposals:
		r.rest = ""
	case KindExpire:
		r.rest = strings.TrimPrefix(r.rest, reasonExpired)
	case KindPush, KindBundle:
		r.takeOne(sentRelease, sentOrders)
	case KindImport:
		r.takeOne(CauseImport)
	case KindTakedown:
		r.takeOne(CauseChecks)
	case KindRoot:
		if r.takeOne(madeRoot) {
			for r.takeOne(rootChanges...) { // each takes one
			}
		}
	case KindRefuse, KindDiscard:
		r.takeOne(whatRoot, whatOrders, whatRelease, whatPart)
	case KindSkip:
		r.takeOne(skippedRefused, skippedDiscarded, skippedReplaced, skippedAside)
	case KindUrgent:
		r.readOrders()
	case KindEnd:
		r.takeOne(endedOrders)
	case KindRecover:
		r.readRecovery()
	default:
		r.takeOne(CauseReport, keptOrders)
	}
}

// readReference parses the reference of an operation of this kind. It moves the texts that the program has recorded
// from r.rest to r.said, or drops them.
func (r *reader) readReference(kind string) {
	switch kind {
	case KindProposals, KindOverride, KindEnd, KindRules, KindGuard, KindRecover, KindDiscard:
		r.rest = ""
	case KindUndo:
		r.takeOne(undone)
	case KindSkip:
		r.takeOne(skippedSerial)
	case KindConfirm:
		r.takeOne(confirmedMore, confirmedMany, confirmedOne)
	case KindRole:
		person, role, _ := strings.Cut(r.rest, " ")
		if !slices.Contains(Roles(), role) {
			role = "" // it was ended
		}
		r.said, r.rest = append(r.said, gaveRole.With(person, Phrase{"role." + role, role}.With())), ""
	default:
		r.takeOne(CauseSource)
	}
}

// readOrders parses the reason of an operation with urgent orders.
func (r *reader) readOrders() {
	if r.takeOne(cancelledOrders) || !r.takeOne(signedOrders) {
		return
	}
	r.takeOne(adoptedOrders)
	for strings.HasPrefix(r.rest, "+") || strings.HasPrefix(r.rest, "-") {
		r.takeOne(orderedTarget)
	}
	reason, by, asked := strings.Cut("; "+r.rest, "; "+askedPrefix)
	if asked {
		r.rest = strings.TrimPrefix(reason, "; ")
		r.said = append(r.said, askedBy.With(by))
	}
}

// readRecovery parses the reason of a recovery. It leaves out the notes of the recovery: they are technical and may
// quote errors.
func (r *reader) readRecovery() {
	if !r.takeOne(adopted) {
		return
	}
	if r.end == "; " {
		r.takeOne(unknownSince, unknownAll)
	}
	if r.end == "; " {
		r.said, r.rest = append(r.said, recoveryNotes.With()), ""
	}
}
