package desk

import (
	"strconv"

	"github.com/argine-dns/argine/blocklist/publish"
)

// operationPage is one operation, with some of its lines.
type operationPage struct {
	publish.ShownOperation
	Lines       []publish.OperationLine
	First, Last int64 // the numbers of the lines that are shown
	Back, More  string
}

// WholeReference returns the reference with the whole hash, where it has one.
func (p operationPage) WholeReference() string {
	if p.Kind == publish.KindProposals || p.Kind == publish.KindOverride {
		return p.Reference
	}
	return publish.StatedReference(p.Operation)
}

// linesLength is how many lines of an operation a page has.
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
	p := operationPage{ShownOperation: o}
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
