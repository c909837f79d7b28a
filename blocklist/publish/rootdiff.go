package publish

import (
	"slices"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Phrases that describe the differences between two roots.
var (
	officerGoes    = recorded("root.goes", "officer goes: %s", part)
	officerComes   = recorded("root.comes", "officer comes: %s", part)
	officerRenamed = recorded("root.renamed", "officer %s is now named %s", part)
	newThreshold   = recorded("root.threshold", "signatures needed: %d, before %d", part)
	newOnline      = recorded("root.online", "the origin's key: %s, before %s", part)
	newLimits      = recorded("root.urgent", "urgent orders: %v, before: %v", part)
	confidential   = recorded("root.confidential", "the list becomes confidential: encrypted to its subscribers", part)
	renewed        = recorded("root.renewed", "renewed until %v", part)

	madeRoot    = recorded("said.root", "root %d", part)
	rootChanges = []recordedPhrase{
		officerGoes, officerComes, officerRenamed, newThreshold, newOnline, newLimits, confidential, renewed,
	}
)

// changesOf describes the differences between the old root and the current one. If there are none, it says that the
// root was renewed.
func changesOf(old, current trust.RootSpec) (all Messages) {
	say := func(p recordedPhrase, values ...any) { all = append(all, p.With(values...)) }
	for _, k := range old.Officers {
		if !slices.ContainsFunc(current.Officers, k.Equal) {
			say(officerGoes, describeKey(k))
		}
	}
	for _, k := range current.Officers {
		i := slices.IndexFunc(old.Officers, k.Equal)
		switch {
		case i < 0:
			say(officerComes, describeKey(k))
		case old.Officers[i].Name != k.Name:
			say(officerRenamed, old.Officers[i].Name, describeKey(k))
		}
	}
	if old.Threshold != current.Threshold {
		say(newThreshold, current.Threshold, old.Threshold)
	}
	if !old.Online.Equal(current.Online) {
		say(newOnline, describeKey(current.Online), describeKey(old.Online))
	}
	if old.Urgent != current.Urgent {
		say(newLimits, UrgentLimits(current.Urgent), UrgentLimits(old.Urgent))
	}
	if old.Confidential != current.Confidential {
		say(confidential)
	}
	if len(all) == 0 {
		say(renewed, Day(current.Expires))
	}
	return all
}
