package ledger

import (
	"context"
	"iter"
	"strconv"
	"strings"
)

// Text is a searchable text in the ledger. ID is that of the row with the text, see [TextKind]. To continue reading
// after a text, pass its cursor to [View.Texts]. If Text is empty, there is nothing to search: only the cursor counts.
type Text struct {
	Cursor, ID int64
	Text       string
}

// TextKind is a kind of texts: the SQL statement that selects them.
type TextKind string

// The kinds of texts, and what the IDs are.
const (
	// TextsOfTargets selects the targets that were ever listed, each once. The ID of each text is that of the change
	// that first listed the target.
	TextsOfTargets TextKind = `SELECT id AS cursor, id, target FROM changes WHERE id > ? AND before IS NULL AND sign = '+' ORDER BY id`
	// TextsOfReferences selects the references of orders. The ID of each text is that of the change. If several changes
	// in a row have the same reference, they have one text, with the ID of the first of them.
	TextsOfReferences TextKind = `SELECT id AS cursor, id, attributes FROM changes WHERE id > ? AND ` + givesReference + ` ORDER BY id`
	// TextsOfOperations selects the reasons, references and authors of operations, without what no page shows: reasons
	// that only repeat the kind, references that are data of the program, the proof of a refusal and the recipient of a
	// subscriber. The ID of each text is that of the operation.
	TextsOfOperations TextKind = `SELECT id AS cursor, id, concat_ws(char(31),
			iif(kind IN ('` + KindInit + `', '` + KindProposals + `'), '', reason),
			CASE WHEN ` + hasData + ` THEN NULL
				WHEN kind IN ('` + KindSubscribe + `', '` + KindUnsubscribe + `') THEN substr(reference, 1, instr(reference || ' ', ' ') - 1)
				WHEN kind = '` + KindRefuse + `' AND instr(' ' || reference, ' ` + RefusalMark + ` ')
					THEN substr(reference, 1, max(instr(' ' || reference, ' ` + RefusalMark + ` ') - 2, 0))
				ELSE reference END, author)
		FROM operations WHERE id > ? ORDER BY id`
	// TextsOfProposals selects the targets, references and notes of proposals, and the reasons of decisions on them.
	// The ID of each text is that of the proposal.
	TextsOfProposals TextKind = `SELECT l.id, l.proposal, concat_ws(char(31), json_extract(line, '$.target'),
			json_extract(line, '$.reference'), json_extract(line, '$.note'), nullif(iif(s.kind = '` + StepPropose + `', '', s.reason), ''))
		FROM step_lines AS l CROSS JOIN steps AS s ON s.id = json_extract(l.line, '$.step') WHERE l.id > ? ORDER BY l.id`
	// TextsOfDecisions selects the reasons, references and authors of decisions on proposals. Its IDs are those of steps.
	TextsOfDecisions TextKind = `SELECT id AS cursor, id, iif(` + isDecision + `, concat_ws(char(31), reason, reference, author), '')
		FROM steps WHERE id > ? ORDER BY id`
)

// hasData is the SQL condition for operations whose reference is data of the program, such as a hash or rules as JSON.
const hasData = `kind IN ('` + KindProposals + `', '` + KindOverride + `', '` + KindRules + `', '` + KindGuard + `', '` +
	KindRecover + `', '` + KindEnd + `', '` + KindDiscard + `')`

// RefusalMark separates, in the reference of an operation of [KindRefuse], the officer's reference (which may be empty)
// from the proof.
const RefusalMark = "refusal"

// givesReference is the SQL condition for changes that give an order with a reference.
const givesReference = `sign IN ('` + signAdded + `', '` + signOrder + `') AND instr(attributes, ' ref=') > 0`

// Texts yields the texts of a kind after the given cursor, in the order in which they were recorded. The cursor 0 is
// before all texts.
func (v View) Texts(ctx context.Context, kind TextKind, cursor int64) iter.Seq2[Text, error] {
	scan := func(row scanner) (t Text, err error) { return t, row.Scan(&t.Cursor, &t.ID, &t.Text) }
	all := query(ctx, v.q, scan, string(kind), cursor)
	if kind == TextsOfReferences {
		return eachReference(all)
	}
	return all
}

// eachReference yields the references in the attributes of changes. If several in a row are the same, it yields only
// the first. At the end it yields an empty text with the last cursor.
func eachReference(attributes iter.Seq2[Text, error]) iter.Seq2[Text, error] {
	return func(yield func(Text, error) bool) {
		var last Text
		var was string // attributes
		for t, err := range attributes {
			if err != nil {
				yield(t, err)
				return
			}
			same := t.Text == was
			if was = t.Text; same {
				t.Text = last.Text
			} else {
				t.Text = referenceIn(t.Text)
			}
			same = same || t.Text == last.Text
			if last = t; !same && !yield(t, nil) {
				return
			}
		}
		if last.Cursor > 0 {
			yield(Text{Cursor: last.Cursor}, nil)
		}
	}
}

// referenceIn returns the reference in the attributes of a line, or an empty text if there is none.
func referenceIn(attributes string) string {
	_, rest, _ := strings.Cut(attributes, " ref=")
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		if text, err := strconv.Unquote(quoted); err == nil {
			return text
		}
	}
	text, _, _ := strings.Cut(rest, " ")
	return text
}

// TargetsOf returns the targets of the changes with the given IDs, in the order of the argument.
func (v View) TargetsOf(ctx context.Context, ids []int64) ([]string, error) {
	return collect(query(ctx, v.q, scanText, `SELECT c.target FROM json_each(?) AS i CROSS JOIN changes AS c ON c.id = i.value
		ORDER BY i.key`, jsonArray(ids)))
}

// TargetsFrom returns the target of the change with the given ID, and the targets of the changes right after it that
// have the same reference. The argument most is the maximum number of targets.
func (v View) TargetsFrom(ctx context.Context, id int64, most int) (targets []string, err error) {
	scan := func(row scanner) (l Line, err error) { return l, row.Scan(&l.Target, &l.Attributes) }
	var reference string
	for l, err := range query(ctx, v.q, scan, `SELECT target, attributes FROM changes WHERE id >= ? AND `+givesReference+`
		ORDER BY id LIMIT ?`, id, most) {
		if err != nil {
			return nil, err
		}
		of := referenceIn(l.Attributes)
		if len(targets) == 0 {
			reference = of
		}
		if of != reference {
			break
		}
		targets = append(targets, l.Target)
	}
	return targets, nil
}
