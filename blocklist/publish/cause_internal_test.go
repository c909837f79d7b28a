package publish

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What the program records is read again as it was meant, and told apart from what the author has stated.
func TestCauseOf(t *testing.T) {
	t.Parallel()
	key := Key{Name: "anna", Fingerprint: "0123 4567 89ab cdef 0123 4567"}
	limits := UrgentLimits{5, 24}
	day := Day(time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		kind, reason, reference string
		said, named             Messages
		stated, ref, override   string
	}{
		{KindAdd, "as ordered: at once, now", "order 17", nil, nil, "as ordered: at once, now", "order 17", ""},
		{KindAdd, "as ordered; clock confirmed; guards overridden: a test", "", Messages{clockConfirmed.With()}, nil, "as ordered", "", "a test"},
		{KindAdd, "guards overridden: a test", "", nil, nil, "", "", "a test"},
		{KindAdd, "again after a recovery, first operation 3 of 2026-05-04: as ordered", "", Messages{repeated.With(int64(3), day)}, nil, "as ordered", "", ""},
		{KindInit, "it.example/test, signed by 1 of 1 officers", "", nil, nil, "", "", ""},
		{KindExpire, reasonExpired, "", nil, nil, "", "", ""},
		{KindPush, "it.example/test serial 6 to https://origin.example:8080/x", "", Messages{sentRelease.With("it.example/test", int64(6), "https://origin.example:8080/x")}, nil, "", "", ""},
		{KindPush, "urgent orders 2 to https://origin.example", "", Messages{sentOrders.With(int64(2), "https://origin.example")}, nil, "", "", ""},
		{KindImport, "import of a, b.csv", "", Messages{CauseImport.With("a, b.csv")}, nil, "", "", ""},
		{KindImport, "the important ones", "", nil, nil, "the important ones", "", ""},
		{
			KindRoot, "root 2, officer goes: " + key.String() + ", officer bruno is now named " + key.String() + ", signatures needed: 2, before 1, urgent orders: " +
				limits.String() + ", before: none: he leaves, today: now", "",
			Messages{madeRoot.With(int64(2)), officerGoes.With(key.String()), officerRenamed.With("bruno", key.String()), newThreshold.With(int64(2), int64(1)), newLimits.With(limits, UrgentLimits{})},
			nil, "he leaves, today: now", "", "",
		},
		{KindRoot, "root 3, renewed until 2026-05-04", "", Messages{madeRoot.With(int64(3)), renewed.With(day)}, nil, "", "", ""},
		{KindRefuse, "it.example/test urgent orders 1 on serial 3: no: none", "7 refusal 0123 abc", Messages{whatOrders.With("it.example/test", int64(1), int64(3))}, nil, "no: none", "7", ""},
		{KindRefuse, "it.example/test serial 3: no", "refusal 0123 abc", Messages{whatRelease.With("it.example/test", int64(3))}, nil, "no", "", ""},
		{
			KindRefuse, "it.example/test serial 3: it ends urgent orders 1 on serial 2: no", "",
			Messages{whatRelease.With("it.example/test", int64(3))},
			nil,
			"it ends urgent orders 1 on serial 2: no", "", "",
		},
		{KindSkip, "refused", "serial 3 signed by anna, bruno", Messages{skippedRefused.With()}, Messages{skippedSerial.With(int64(3), "anna, bruno")}, "", "", ""},
		{
			KindUrgent, "urgent orders 1 on serial 3, +a.example, -https://b.example/x: people lose money; now; asked for by carla", "night 3",
			Messages{signedOrders.With(int64(1), int64(3)), orderedTarget.With("+a.example"), orderedTarget.With("-https://b.example/x"), askedBy.With("carla")},
			nil,
			"people lose money; now", "night 3", "",
		},
		{KindUrgent, "urgent orders 1 on serial 3, which anna signed, found at https://origin.example", "", Messages{signedOrders.With(int64(1), int64(3)), adoptedOrders.With("anna", "https://origin.example")}, nil, "", "", ""},
		{KindRecover, "serial 3 adopted as it was signed: the disk was lost", "abc", Messages{adopted.With(int64(3))}, nil, "the disk was lost", "", ""},
		{KindRecover, "serial 3 adopted as it was signed; the operations after serial 1 that led to it are not known here: lost", "", Messages{adopted.With(int64(3)), unknownSince.With(int64(1))}, nil, "lost", "", ""},
		{KindRecover, "serial 3 adopted as it was signed; a note: x: lost", "", Messages{adopted.With(int64(3)), recoveryNotes.With()}, nil, "", "", ""},
		{KindEnd, "lets urgent orders end with the next release: a.example, b.example: it is over", "urgent orders end 0123456789ab", Messages{endedOrders.With("a.example, b.example")}, nil, "it is over", "", ""},
		{KindOverride, "it is over", "findings 0123", nil, nil, "it is over", "", ""},
		{KindUndo, "by mistake", "operation 4", nil, Messages{undone.With(int64(4))}, "by mistake", "", ""},
		{KindConfirm, "so have I", "proposals 3-9, 12 and 5 more", nil, Messages{confirmedMore.With("3-9, 12", int64(5))}, "so have I", "", ""},
		{KindRole, "new", "carla clerk", nil, Messages{gaveRole.With("carla", Phrase{"role.clerk", "clerk"}.With())}, "new", "", ""},
		{KindRules, "", "{}", nil, nil, "", "", ""},
		{"", "sent as a report", "de.example/wol@41, digest abc, signed by dora, emil", Messages{CauseReport.With()}, Messages{CauseSource.With("de.example/wol", int64(41), "abc", "dora, emil")}, "", "", ""},
	} {
		got := CauseOf(Operation{Kind: c.kind, Reason: c.reason, Reference: c.reference})
		assert.Equal(t, Cause{c.said, c.stated, c.override, c.named, c.ref}, got, c.kind+": "+c.reason)
	}
}

// The subject of a refusal is found whatever else is recorded with it.
func TestWhatRefused(t *testing.T) {
	t.Parallel()
	o := Operation{Kind: KindRefuse, Reason: "it.example/test urgent orders 1 on serial 3: no; clock confirmed"}
	assert.Equal(t, whatOrders.Key, whatRefused(o))
	o.Reason = "again after a recovery, first operation 3 of 2026-05-04: it.example/test serial 3: no"
	assert.Equal(t, whatRelease.Key, whatRefused(o))
}

// FuzzCauseOf tests that no text makes CauseOf panic, and that it makes up nothing.
func FuzzCauseOf(f *testing.F) {
	f.Add("urgent orders 1 on serial 3, +a.example: x; asked for by carla", "serial 3 signed by anna")
	f.Add("root 2, renewed until 2026-05-04: x", "operation 5")
	f.Fuzz(func(t *testing.T, reason, reference string) {
		for _, kind := range append(Kinds(), "") {
			c := CauseOf(Operation{Kind: kind, Reason: reason, Reference: reference})
			assert.LessOrEqual(t, len(c.Reason)+len(c.Override), len(reason))
			assert.LessOrEqual(t, len(c.Reference), len(reference)+100)
		}
	})
}
