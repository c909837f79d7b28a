package desk

import (
	"strconv"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// operationPage is the page of one operation, with some of its lines.
type operationPage struct {
	publish.ShownOperation
	Confirmed   []confirmed
	MoreThese   bool // whether there are more confirmed proposals than Confirmed has
	Lines       []publish.OperationLine
	First, Last int64 // numbers of the first and the last shown line
	Back, More  string
	Reviewers   []string // people who can make and push a release
}

// Waits reports whether the operation has changed the list, but is in no pushed release yet.
func (p operationPage) Waits() bool { return p.Release == nil && p.Added+p.Removed > 0 }

// WholeReference returns the reference of the operation, with a hash in full if it has one.
func (p operationPage) WholeReference() string {
	if p.Kind == publish.KindProposals || p.Kind == publish.KindOverride {
		return p.Reference
	}
	return publish.StatedReference(p.Operation)
}

// confirmed is a proposal that an operation has confirmed, with the step of the person who checked it.
type confirmed struct {
	proposal.Proposal
	Check *proposal.DetailedStep // step of the check; nil: no person had checked the proposal
}

// maxConfirmed is the maximum number of confirmed proposals on a page.
const maxConfirmed = 20

// confirmed returns the first proposals that an operation has confirmed, and whether there are more.
func (v *visit) confirmed(o publish.Operation) (all []confirmed, more bool, err error) {
	ids, more := proposal.Confirmed(o, maxConfirmed)
	for _, id := range ids {
		p, steps, err := proposal.Get(v.r.Context(), v.ledger, id)
		if err != nil {
			return nil, false, err
		}
		c := confirmed{Proposal: p}
		for _, s := range steps {
			if s.Kind == string(proposal.Check) {
				c.Check = &s
			}
		}
		all = append(all, c)
	}
	return all, more, nil
}

// confirmedBy returns the ID of the only proposal that an operation has confirmed, as a slice. It returns nil if there
// is none, or if there are several.
func confirmedBy(o publish.Operation) []int64 {
	if confirmsMany(o) {
		return nil
	}
	ids, _ := proposal.Confirmed(o, 1)
	return ids
}

// confirmsMany reports whether an operation has confirmed several proposals.
func confirmsMany(o publish.Operation) bool {
	_, more := proposal.Confirmed(o, 1)
	return more
}

// linesLength is the maximum number of lines of an operation on one page.
const linesLength = 200

func (v *visit) operation() error {
	o, err := v.ledger.Operation(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	skip, err := numberOf(v.r.URL.Query().Get("skip"))
	if err != nil {
		return err
	}
	p := operationPage{ShownOperation: o, Reviewers: v.peopleWho(decide)}
	if p.Confirmed, p.MoreThese, err = v.confirmed(o.Operation); err != nil {
		return err
	}
	for line, err := range v.ledger.OperationPart(v.r.Context(), o.Operation, skip, linesLength+1) {
		if err != nil {
			return err
		}
		p.Lines = append(p.Lines, line)
	}
	if len(p.Lines) > linesLength {
		p.Lines = p.Lines[:linesLength]
		p.More = withQuery(v.r.URL, "skip", strconv.FormatInt(skip+linesLength, 10))
	}
	if skip > 0 {
		p.Back = withQuery(v.r.URL, "skip", strconv.FormatInt(max(skip-linesLength, 0), 10))
	}
	p.First, p.Last = skip+1, skip+int64(len(p.Lines))
	return v.show("operation", "operation.title", p)
}
