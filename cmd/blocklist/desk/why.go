package desk

import (
	"errors"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// why is a kind of errors with the key of the text that explains it to people.
type why struct {
	err error
	key string
}

// whys returns the kinds of errors that are explained to people, the more specific ones first.
func whys() []why {
	return []why{
		{proposal.ErrSecondPerson, "why.second"},
		{proposal.ErrChanged, "why.changed"},
		{proposal.ErrAlready, "decide.already"},
		{publish.ErrOver, "why.over"},
		{errNoEntry, "why.noentry"},
		{proposal.ErrState, "why.state"},
		{proposal.ErrNotFound, "why.noproposal"},
		{publish.ErrRules, "why.rules"},
		{publish.ErrNotListed, "why.notlisted"},
		{publish.ErrNoOrder, "why.noorder"},
		{publish.ErrListed, "why.listed"},
		{publish.ErrMoved, "why.moved"},
		{publish.ErrUnchanged, "why.unchanged"},
		{publish.ErrPending, "why.pending"},
		{publish.ErrNothingPending, "why.nothingpending"},
		{publish.ErrNoOperation, "why.nooperation"},
		{publish.ErrNoDecision, "why.nodecision"},
		{publish.ErrEnds, "why.ends"},
		{blocklist.ErrHeld, "why.held"},
		{blocklist.ErrSignatures, "why.signatures"},
		{blocklist.ErrUntrusted, "why.untrusted"},
		{blocklist.ErrExpired, "why.expired"},
		{blocklist.ErrNoKey, "why.nokey"},
		{blocklist.ErrClock, "why.clock"},
		{blocklist.ErrUnavailable, "why.origin"},
		{blocklist.ErrBusy, "why.busy"},
		{blocklist.ErrTooLarge, "why.toolarge"},
		{blocklist.ErrMalformed, "why.malformed"},
		{errNoPage, "why.nopage"},
		{errForbidden, "why.forbidden"},
		{errNoRole, "why.norole"},
		{errNoForm, "why.noform"},
	}
}

// whyText returns the explanation of an error for a person who does not know the program.
func whyText(w *words.Words, err error) string {
	if entry := (*blocklist.EntryError)(nil); errors.As(err, &entry) {
		if entry.Meant != "" {
			return w.Text("why.meant", entry.Text, entry.Meant)
		}
		return w.Text(entryReason(entry.Text), entry.Text)
	}
	if rule := (*publish.RuleError)(nil); errors.As(err, &rule) {
		if rule.Target == "" {
			return w.Say(rule.Rule)
		}
		return rule.Target + ": " + w.Say(rule.Rule)
	}
	if file := (*fileError)(nil); errors.As(err, &file) {
		if errors.Is(err, blocklist.ErrMalformed) || errors.Is(err, blocklist.ErrTooLarge) {
			return w.Text("why.file", file.Name)
		}
		return file.Name + ": " + whyText(w, file.Err)
	}
	if dropped := (*publish.DroppedError)(nil); errors.As(err, &dropped) {
		return w.Text("why.dropped."+dropped.By.Kind, dropped.By.Author, dropped.Why())
	}
	if day := (*dayError)(nil); errors.As(err, &day) {
		return w.Text(day.reason(), day.Text)
	}
	if hours := (*hoursError)(nil); errors.As(err, &hours) {
		return w.Text("why.hours", hours.Text, hours.Most)
	}
	if limit := (*publish.UrgentLimitError)(nil); errors.As(err, &limit) {
		return w.Text("why.urgentlimit", limit.Targets, limit.Serial, limit.Most)
	}
	for _, y := range whys() {
		if errors.Is(err, y.err) {
			return w.Text(y.key)
		}
	}
	return w.Text(failureOf(err).key)
}

// saysAll reports whether the text of [whyText] has all facts of an error, so that the error itself need not be shown.
func saysAll(err error) bool {
	rule, day, entry := (*publish.RuleError)(nil), (*dayError)(nil), (*blocklist.EntryError)(nil)
	return errors.As(err, &rule) || errors.As(err, &day) || errors.As(err, new(*publish.UrgentLimitError)) ||
		errors.As(err, new(*publish.DroppedError)) || errors.As(err, new(*hoursError)) || errors.Is(err, errNoEntry) ||
		errors.As(err, &entry) && entryReason(entry.Text) != "why.entry"
}

// findingText returns the text about a finding of the guards.
func findingText(w *words.Words, f guard.Finding) string {
	key := "guard." + string(f.Check)
	if f.Check == guard.CheckProtect && strings.TrimPrefix(f.Entry, "=") == f.Example {
		key = "guard.itself"
	}
	text, several, _ := strings.Cut(w.Text(key), "|")
	if f.Others > 0 && several != "" {
		text = several
	}
	if !strings.Contains(text, "%") {
		return text
	}
	return fmt.Sprintf(text, f.Entry, f.Example, w.Number(f.Others+1))
}
