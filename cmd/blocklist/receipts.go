package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// Limits on reading an origin's receipts.
const (
	maxReceipts     = receipt.MaxKeys * 64 * receipt.MaxReceipt // maximum size of all receipts, in bytes
	receiptsTimeout = 5 * time.Minute
)

// receiptsFlags are the flags of receipts.
type receiptsFlags struct {
	list, root, keys, token string

	pin      []byte // content of the root file, the beginning of trust
	deadline time.Duration
	asJSON   bool
}

func (a *app) receipts() *cobra.Command {
	var f receiptsFlags
	cmd := &cobra.Command{
		Use:   "receipts URL|ORIGIN",
		Short: "Show who enforces which serial since when, and who is late",
		Long: `Show which subscriber enforces which serial since when, and who is late. The receipts that subscribers have sent to an origin
are verified with the keys in the file of --keys, one a line. For the folder of an origin, the default is the keys that are
registered there. Releases are verified from the list's root on. The first line has the newest serial and its deadline.

Times begin when a release was published, as the ledger in the agency's folder has recorded it. Without that ledger, they begin
when the release was made, which was before the officers signed it. If a receipt is older than that, the time is not known:
a recovered ledger has adopted the release later, or the subscriber's clock is behind.

The exit code is 3 if a subscriber is late, or has another state than the signed one.`,
		Example: `  blocklist -C DIR receipts ORIGIN
  blocklist receipts https://origin.example --root DIR/root.json --keys subscribers.txt --token token --deadline 30m --json`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.root == "" {
				f.root = filepath.Join(a.dir, "root.json")
			}
			var err error
			if f.pin, err = readRoot(f.root); err != nil {
				return withHint(err, "--root names the list's root, which you trust")
			}
			list, _, err := subscribe.ReadRoot(f.pin)
			if err != nil {
				return err
			}
			f.list = cmp.Or(f.list, list)
			newest, all, err := a.readStandings(cmd.Context(), args[0], f)
			if err != nil {
				return err
			}
			return a.showStandings(newest, all, f)
		},
	}
	cmd.Flags().StringVar(&f.list, "list", "", "the `NAME` of the list (default: that of the root)")
	cmd.Flags().StringVar(&f.root, "root", "", "the `FILE` with a root of the list that you trust (default: root.json in the agency's folder)")
	f.sourceFlags(cmd)
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

// sourceFlags adds the flags that reading receipts needs.
func (f *receiptsFlags) sourceFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.keys, "keys", "", "the `FILE` with the subscribers' public keys, one a line")
	cmd.Flags().StringVar(&f.token, "token", "", "the `FILE` with the token, from receipts/LIST/_/token in the origin's folder")
	cmd.Flags().DurationVar(&f.deadline, "deadline", 6*time.Hour, "the `DURATION` after its publication within which a serial must be enforced")
}

// readStandings reads and verifies the signed releases and the receipts of a list. It returns the newest release and
// each subscriber's standing: which serial it enforces, and whether in time.
func (a *app) readStandings(ctx context.Context, from string, f receiptsFlags) (newest receipt.Release,
	all []receipt.Standing, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, receiptsTimeout)
	defer cancel()
	releases, err := subscribe.Signed(ctx, subscribe.Config{List: f.list, Root: f.pin, Origins: []string{from}})
	if err != nil {
		return newest, nil, err
	}
	if err := a.addPublished(ctx, f.list, releases); err != nil {
		return newest, nil, err
	}
	for _, r := range releases {
		if r.Serial > newest.Serial {
			newest = r
		}
	}
	keys, said, err := a.readStatements(ctx, from, f)
	if err != nil {
		return newest, nil, err
	}
	return newest, receipt.Judge(releases, slices.Collect(maps.Keys(keys)), said, f.deadline, time.Now()), nil
}

// addPublished sets when each release was published, if the agency's folder has the ledger of the list.
func (a *app) addPublished(ctx context.Context, list string, releases []receipt.Release) (err error) {
	l, err := publish.Open(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if l.List() != list {
		return nil
	}
	for known, err := range l.SignedReleases(ctx, time.Time{}) {
		if err != nil {
			return err
		}
		for i := range releases {
			if r := &releases[i]; r.Serial == known.Serial && r.Digest == known.SignedDigest {
				r.Published = known.Pushed
			}
		}
	}
	return nil
}

// readStatements reads the receipts of a list, verifies them with the subscribers' keys, and returns both. Receipts
// that do not verify are left out and counted in a message.
func (a *app) readStatements(ctx context.Context, from string, f receiptsFlags) (receipt.Keys, []receipt.Statement,
	error,
) {
	keys, body, err := openReceipts(ctx, from, f)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close() //nolint:errcheck // it was only read
	var said []receipt.Statement
	strangers := 0
	for b, err := range receipt.Split(io.LimitReader(body, maxReceipts)) {
		if err != nil {
			return nil, nil, err
		}
		r, holder, err := receipt.Open(b, keys)
		if err != nil || r.List != f.list {
			strangers++
			continue
		}
		said = append(said, receipt.Statement{Receipt: r, Holder: holder})
	}
	if strangers > 0 {
		a.printf("%d receipts are of none of these keys, or not of this list; they are left out", strangers)
	}
	return keys, said, nil
}

// openReceipts returns the subscribers' keys, and a stream of receipts from an origin or a file.
func openReceipts(ctx context.Context, from string, f receiptsFlags) (receipt.Keys, io.ReadCloser, error) {
	text, body, err := openReceiptStream(ctx, from, f)
	if err != nil {
		return nil, nil, err
	}
	if f.keys != "" {
		b, err := readAtMost(f.keys, 1<<20)
		if err != nil {
			return nil, nil, errors.Join(err, body.Close())
		}
		text = string(b)
	}
	keys, err := receipt.ParseKeys(text)
	if err != nil {
		err = errors.Join(err, body.Close())
	}
	return keys, body, err
}

// checkSource fails if a flag is missing that is needed to read receipts from the given origin or file.
func (f receiptsFlags) checkSource(from string) error {
	switch {
	case strings.Contains(from, "://") && (f.keys == "" || f.token == ""):
		return usage("--keys and --token are needed to read receipts of an origin over HTTP")
	case isFile(from) && f.keys == "":
		return usage("--keys is needed to read a file with receipts")
	}
	return nil
}

// openReceiptStream returns a stream of receipts from the origin or file src. If src is an origin's folder, it also
// returns the text of the keys that are registered there.
func openReceiptStream(ctx context.Context, src string, f receiptsFlags) (keys string, body io.ReadCloser, err error) {
	if err := f.checkSource(src); err != nil {
		return "", nil, err
	}
	if strings.Contains(src, "://") {
		body, err = fetchReceipts(ctx, src, f)
		return "", body, err
	}
	if isFile(src) {
		body, err = os.Open(src)
		return "", body, err
	}
	o, err := origin.Open(src, origin.Options{})
	if err != nil {
		return "", nil, err
	}
	if keys, err = o.SubscriberKeys(f.list); err != nil {
		return "", nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(o.WriteReceipts(f.list, w)) }()
	return keys, r, nil
}

// fetchReceipts requests the receipts of a list from an origin.
func fetchReceipts(ctx context.Context, base string, f receiptsFlags) (io.ReadCloser, error) {
	token, err := readAtMost(f.token, 1<<10)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/receipts/"+f.list, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	err = answerError("reading receipts: the origin", resp)
	if resp.StatusCode == http.StatusUnauthorized {
		err = withHint(err, "the token lies in receipts/%s/_/token in the origin's folder", f.list)
	}
	return nil, errors.Join(err, resp.Body.Close())
}

// standingJSON is the JSON form of a [receipt.Standing].
type standingJSON struct {
	Subscriber string    `json:"subscriber"`
	State      string    `json:"state"` // enforces, behind, never, late or differs
	Serial     uint64    `json:"serial,omitempty"`
	Enforced   time.Time `json:"enforced,omitzero"`
	Seconds    *float64  `json:"seconds,omitempty"` // time from the publication of the release to Enforced, if [receipt.Release.Took] knows it
}

func standingToJSON(s receipt.Standing) standingJSON {
	out := standingJSON{Subscriber: s.Subscriber, State: string(s.State), Serial: s.Serial, Enforced: s.Enforced}
	if s.IsTimed() {
		seconds := s.Took.Seconds()
		out.Seconds = &seconds
	}
	return out
}

// showStandings prints what each subscriber enforces according to its receipts. It fails if a subscriber is late, or
// enforces a state of the list that the officers have not signed.
func (a *app) showStandings(newest receipt.Release, all []receipt.Standing, f receiptsFlags) error {
	wrong := 0
	for _, s := range all {
		if s.State == receipt.Late || s.State == receipt.Differs {
			wrong++
		}
	}
	var err error
	if f.asJSON {
		for _, s := range all {
			err = errors.Join(err, a.printJSON(standingToJSON(s)))
		}
	} else {
		err = a.printStandings(newest, all, f)
	}
	if err == nil && wrong > 0 {
		err = exitError{exitAttention, fmt.Errorf("%d of %s late, or with another state than was signed; the deadline is %s", wrong,
			plural(uint64(len(all)), "subscriber", "subscribers"), f.deadline)}
	}
	return err
}

func (a *app) printStandings(newest receipt.Release, all []receipt.Standing, f receiptsFlags) error {
	since := "published"
	if newest.Published.IsZero() {
		since = "made"
		a.printf("when the releases were published is not known here, so times begin when they were made, before they were signed; -C DIR names the agency's folder, which knows")
	}
	fmt.Fprintf(a.stdout, "%s: serial %d is the newest, %s %s, to be enforced by %s\n", f.list, newest.Serial, since,
		newest.Start().Format(time.RFC3339), newest.Start().Add(f.deadline).Format(time.RFC3339))
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "subscriber\tstate\tserial\tenforced\tafter")
	for _, s := range all {
		serial, enforced, after := "-", "-", "-"
		if s.Serial > 0 {
			serial, enforced = fmt.Sprint(s.Serial), s.Enforced.Format(time.RFC3339)
			if after = "not known"; s.IsTimed() {
				after = s.Took.String()
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Subscriber, s.State, serial, enforced, after)
	}
	return w.Flush()
}
