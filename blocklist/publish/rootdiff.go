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

// changesOf describes the differences between the old root (was) and the new root (is). If there are none, it says that
// the root was renewed.
func changesOf(was, is trust.RootSpec) (all Messages) {
	say := func(p recordedPhrase, values ...any) { all = append(all, p.With(values...)) }
	for _, k := range was.Officers {
		if !slices.ContainsFunc(is.Officers, k.Equal) {
			say(officerGoes, describeKey(k))
		}
	}
	for _, k := range is.Officers {
		i := slices.IndexFunc(was.Officers, k.Equal)
		switch {
		case i < 0:
			say(officerComes, describeKey(k))
		case was.Officers[i].Name != k.Name:
			say(officerRenamed, was.Officers[i].Name, describeKey(k))
		}
	}
	if was.Threshold != is.Threshold {
		say(newThreshold, is.Threshold, was.Threshold)
	}
	if !was.Online.Equal(is.Online) {
		say(newOnline, describeKey(is.Online), describeKey(was.Online))
	}
	if was.Urgent != is.Urgent {
		say(newLimits, UrgentLimits(is.Urgent), UrgentLimits(was.Urgent))
	}
	if was.Confidential != is.Confidential {
		say(confidential)
	}
	if len(all) == 0 {
		say(renewed, Day(is.Expires))
	}
	return all
}
