package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"
)

// Filter selects operations. The zero value selects all.
type Filter struct {
	Since, Until time.Time // time of the operation: at or after Since, before Until; zero: no limit
	Kinds        []string  // only operations of these kinds; empty: all
	Author       string    // author of the operation, in which a star stands for any text; empty: all
	Reference    string    // reference of the operation, with stars as in Author; empty: all
	Targets      []string  // only operations that changed one of these targets; empty: all
	IDs          []int64   // only operations with these IDs; nil: all
	Before       int64     // only operations with IDs below this one; 0: no limit
	Last         int       // maximum number of operations: the newest of those selected; 0: all
}

// Logged is an operation with the first lines of its changes.
type Logged struct {
	Operation
	Lines uint64   // number of all lines and checks of the operation
	First []string // sign and target of the first lines and checks, in the order of the operation
}

// firstLines is the maximum number of lines in [Logged.First].
const firstLines = 8

// logged selects operations, each with the number of its lines and checks, and with the first lines and checks. The
// lines of an operation are the changes after the last change of the previous operation.
const logged = `SELECT ` + operationColumns + `,
	max(last_change - start, 0) + (SELECT count(*) FROM checks WHERE operation = o.id),
	(SELECT json_group_array(line) FROM (SELECT line FROM (
			SELECT sign || target AS line FROM changes WHERE id > o.start AND id <= o.last_change ORDER BY id LIMIT ?1)
		UNION ALL SELECT line FROM (
			SELECT '?' || target AS line FROM checks WHERE operation = o.id ORDER BY checks.line LIMIT ?1)))
FROM (
	SELECT *, coalesce((SELECT last_change FROM operations WHERE id = operation.id - 1), 0) AS start
	FROM operations AS operation WHERE id IN (%s)) AS o
ORDER BY id`

// Log yields the selected operations, oldest first, each with its first lines.
func (v View) Log(ctx context.Context, f Filter) iter.Seq2[Logged, error] {
	text, args := f.query()
	return query(ctx, v.q, scanLogged, text, args...)
}

// query returns the SQL statement for the filter, and its arguments. The inner statement selects the newest IDs, so
// that only these operations are read.
func (f Filter) query() (text string, args []any) {
	c := f.conditions()
	if len(f.Kinds) > 0 {
		c.add(`kind IN (SELECT value FROM json_each(?))`, jsonArray(f.Kinds))
	}
	if len(f.Targets) > 0 {
		c.add(`id IN (SELECT (SELECT id FROM operations WHERE last_change >= c.id ORDER BY last_change, id LIMIT 1)
			FROM (`+changesOf+`SELECT value FROM json_each(?)`+changesEnd+`) AS c)`, jsonArray(f.Targets))
	}
	selected := `SELECT id FROM operations` + c.where()
	args = append([]any{firstLines}, c.args...)
	if f.Last > 0 {
		selected, args = selected+` ORDER BY id DESC LIMIT ?`, append(args, f.Last)
	}
	return fmt.Sprintf(logged, selected), args
}

// conditions returns the conditions on columns that operations and steps have in common, except for the kind.
func (f Filter) conditions() (c conditions) {
	if !f.Since.IsZero() {
		c.add(`time >= ?`, FormatTime(f.Since))
	}
	if !f.Until.IsZero() {
		c.add(`time < ?`, FormatTime(f.Until))
	}
	if f.Before > 0 {
		c.add(`id < ?`, f.Before)
	}
	if f.IDs != nil {
		c.add(`id IN (SELECT value FROM json_each(?))`, jsonArray(f.IDs))
	}
	c.match(`author`, f.Author)
	c.match(`reference`, f.Reference)
	return c
}

// conditions has SQL conditions, which are joined by AND, with their arguments.
type conditions struct {
	all  []string
	args []any
}

func (c *conditions) add(condition string, args ...any) {
	c.all, c.args = append(c.all, condition), append(c.args, args...)
}

func (c *conditions) where() string {
	if len(c.all) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(c.all, ` AND `)
}

// match adds the condition that a column has the given text, in which a star stands for any text. The empty text adds
// no condition.
func (c *conditions) match(column, text string) {
	switch {
	case strings.Contains(text, "*"):
		c.add(column+` GLOB ?`, globPattern(text))
	case text != "":
		c.add(column+` = ?`, text)
	}
}

// limit returns the maximum number of rows.
func (f Filter) limit() int { return cmp.Or(f.Last, math.MaxInt) }

// globPattern converts a text to a pattern for SQLite's GLOB. Only the star stays special: it stands for any
// characters.
func globPattern(text string) string {
	return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(text)
}

// extra is a row with additional columns at the end. Its method Scan stores these in the field more. So a function that
// knows only the first columns can scan the row.
type extra struct {
	scanner
	more []any
}

func (e extra) Scan(dest ...any) error { return e.scanner.Scan(append(dest, e.more...)...) }

func scanLogged(row scanner) (l Logged, err error) {
	var first string
	if l.Operation, err = scanOperation(extra{row, []any{&l.Lines, &first}}); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(first), &l.First)
}

// OperationsByHash returns the operations whose hash begins with the given prefix of hexadecimal digits. It returns at
// most two: enough to see whether the prefix is ambiguous.
func (v View) OperationsByHash(ctx context.Context, prefix string) (all []Operation, err error) {
	rows := query(ctx, v.q, scanOperation, `SELECT `+operationColumns+` FROM operations WHERE hash >= ? AND hash < ? LIMIT 2`,
		prefix, prefix+"g") // the letter after the last hexadecimal digit
	for o, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// Line is a line that an operation recorded: a line of the published list with sign + or -, or an order with sign & or
// ~.
type Line struct {
	Sign, Target, Attributes string // the attributes begin with a space, if there are any
}

// Lines yields the lines of an operation, in the order in which they were recorded. The argument skip is the number of
// lines to leave out at the beginning. The argument limit is the maximum number of lines after those; 0: all.
func (v View) Lines(ctx context.Context, operation, skip, limit int64) iter.Seq2[Line, error] {
	if limit == 0 {
		limit = math.MaxInt64
	}
	return query(ctx, v.q, scanLine, `SELECT sign, target, attributes FROM changes
		WHERE id > ?2 + coalesce((SELECT last_change FROM operations WHERE id = ?1 - 1), 0)
			AND id <= (SELECT last_change FROM operations WHERE id = ?1) ORDER BY id LIMIT ?3`, operation, skip, limit)
}

func scanLine(row scanner) (l Line, err error) { return l, row.Scan(&l.Sign, &l.Target, &l.Attributes) }

// TargetChange is what one operation changed about a target.
type TargetChange struct {
	Target           string
	Before, After    string   // the published line; empty: not listed
	Given, Withdrawn []string // lines of orders; empty if the target has at most one order before and after
	Operation        Operation
}

// targetChanges selects the changes of targets, sorted by target. Each change has the ID of its operation: the first
// operation whose last change has the ID of the change or a higher one.
const targetChanges = `
SELECT c.sign, c.target, c.attributes,
	coalesce((SELECT id FROM operations WHERE last_change >= c.id ORDER BY last_change, id LIMIT 1), 0)
FROM (` + changesOf + `SELECT value FROM json_each(?)` + changesEnd + `) AS c ORDER BY c.target, c.id`

// History returns the changes of targets, sorted by target, and for each target oldest first.
func (v View) History(ctx context.Context, targets []string) (all []TargetChange, err error) {
	known := map[int64]Operation{}
	for row, err := range query(ctx, v.q, scanTargetLine, targetChanges, jsonArray(targets)) {
		if err != nil {
			return nil, err
		}
		if all, err = v.addLine(ctx, all, row, known); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// addLine adds a line to the last one of the given changes, and returns the changes. If the last one is of another
// target or operation, it appends a new change with the line. The argument known caches operations by their IDs.
func (v View) addLine(
	ctx context.Context, all []TargetChange, l targetLine, known map[int64]Operation,
) ([]TargetChange, error) {
	before := ""
	if n := len(all); n > 0 && all[n-1].Target == l.Target {
		before = all[n-1].After
	}
	if n := len(all); n == 0 || all[n-1].Target != l.Target || all[n-1].Operation.ID != l.operation {
		o, is := known[l.operation]
		if !is {
			var err error
			if o, err = v.OperationByID(ctx, l.operation); err != nil {
				return nil, Damaged("a change of %.80q belongs to no operation: %v", l.Target, err)
			}
			known[l.operation] = o
		}
		all = append(all, TargetChange{Target: l.Target, Before: before, After: before, Operation: o})
	}
	at, line := &all[len(all)-1], l.Target+l.Attributes
	switch l.Sign {
	case signAdded:
		at.After = line
	case signRemoved:
		at.After = ""
	case signOrder:
		at.Given = append(at.Given, line)
	case signWithdrawn:
		at.Withdrawn = append(at.Withdrawn, line)
	}
	return all, nil
}

// targetLine is a row of [targetChanges].
type targetLine struct {
	Line
	operation int64
}

func scanTargetLine(row scanner) (l targetLine, err error) {
	l.Line, err = scanLine(extra{row, []any{&l.operation}})
	return l, err
}

// ChecksOf yields the checks of pages, sorted by page and time.
func (v View) ChecksOf(ctx context.Context, targets []string) iter.Seq2[Check, error] {
	return query(ctx, v.q, scanCheck, `SELECT c.target, c.checked, c.operation, c.removed
		FROM json_each(?) AS t CROSS JOIN checks AS c ON c.target = t.value ORDER BY c.target, c.checked, c.operation`,
		jsonArray(targets))
}

// ChecksBy yields the checks of an operation, in the order in which they were recorded.
func (v View) ChecksBy(ctx context.Context, operation int64) iter.Seq2[Check, error] {
	return query(ctx, v.q, scanCheck, `SELECT target, checked, operation, removed FROM checks WHERE operation = ? ORDER BY line`,
		operation)
}

// ReleaseLines is a pushed release with the numbers of lines that were added and removed since the previous release.
type ReleaseLines struct {
	ReleaseRecord
	Added, Removed uint64
	before         int64 // ID of the last operation in the previous release; 0: there is none
}

// releaseLines selects releases with the numbers of added and removed lines of their operations.
const releaseLines = `SELECT ` + releaseColumns + `, before,
	coalesce((SELECT sum(added) FROM operations WHERE id > before AND id <= operation), 0),
	coalesce((SELECT sum(removed) FROM operations WHERE id > before AND id <= operation), 0)
FROM (
	SELECT *, coalesce((SELECT operation FROM releases WHERE serial < r.serial ORDER BY serial DESC LIMIT 1), 0) AS before
	FROM releases AS r %s)
ORDER BY serial`

// LastReleases yields the newest pushed releases, sorted by serial. The argument last is their maximum number; 0: all.
func (v View) LastReleases(ctx context.Context, last int) iter.Seq2[ReleaseLines, error] {
	if last == 0 {
		last = math.MaxInt
	}
	return query(ctx, v.q, scanReleaseLines, fmt.Sprintf(releaseLines, `ORDER BY serial DESC LIMIT ?`), last)
}

// ListedIn returns how many entries are listed in a release but not in the previous one, and how many are listed only
// in the previous one. If the operations between the two releases only added or only removed lines, it returns the
// numbers of lines; otherwise it reads the changes.
func (v View) ListedIn(ctx context.Context, r ReleaseLines) (listed, delisted uint64, err error) {
	if r.Added == 0 || r.Removed == 0 {
		return r.Added, r.Removed, nil
	}
	err = v.q.QueryRowContext(ctx, listedBetween, r.before, r.Operation).Scan(&listed, &delisted)
	return listed, delisted, err
}

// listedBetween counts the targets that a range of operations listed, and those that it delisted. A target was listed
// if its first and its last line in the range were added ("+"). It was delisted if both were removed ("-").
const listedBetween = `
WITH ends (first, last) AS (
	SELECT (SELECT sign FROM changes WHERE id = a), (SELECT sign FROM changes WHERE id = b) FROM (` + endsOfChanges + `))
SELECT count(*) FILTER (WHERE first = '+' AND last = '+'), count(*) FILTER (WHERE first = '-' AND last = '-') FROM ends`

// firstReleaseWith selects the first release that contains an operation. If a recovery adopted a release whose
// operations are not known, the head of the release is not the hash of the recovery. Such a release contains no
// operation before the recovery.
const firstReleaseWith = `WHERE operation = ?1 OR operation > ?1 AND head = (SELECT hash FROM operations WHERE id = r.operation)
	ORDER BY serial LIMIT 1`

// ReleaseWith returns the first pushed release that contains an operation. Its serial is 0 if there is none.
func (v View) ReleaseWith(ctx context.Context, operation int64) (ReleaseLines, error) {
	for r, err := range query(ctx, v.q, scanReleaseLines, fmt.Sprintf(releaseLines, firstReleaseWith), operation) {
		return r, err
	}
	return ReleaseLines{}, nil
}

// ReleaseOf is [View.ReleaseWith] without the numbers of lines.
func (v View) ReleaseOf(ctx context.Context, operation int64) (ReleaseRecord, error) {
	return v.oneRelease(ctx, `SELECT `+releaseColumns+` FROM releases AS r `+firstReleaseWith, operation)
}

func scanReleaseLines(row scanner) (r ReleaseLines, err error) {
	r.ReleaseRecord, err = scanRelease(extra{row, []any{&r.before, &r.Added, &r.Removed}})
	return r, err
}
