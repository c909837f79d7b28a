package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// referral is the name of the export format for platforms that can take pages down.
const referral = "referral"

// maxPlatforms is the maximum size of a table of platforms, in bytes.
const maxPlatforms = 1 << 20

// platformsFlag adds --platforms.
func platformsFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "platforms", "", "a `FILE` with a domain and its platform on each line; any other site is its own platform")
}

// readPlatforms reads the table of platforms. Without a path it returns the zero value.
func readPlatforms(path string) (p takedown.Platforms, err error) {
	if path == "" {
		return p, nil
	}
	text, err := readAtMost(path, maxPlatforms)
	if err != nil {
		return p, err
	}
	if p, err = takedown.ParsePlatforms(string(text)); err != nil {
		err = fmt.Errorf("reading %s: %w", path, err)
	}
	return p, err
}

// referralOutput has those flags of export that are for referrals.
type referralOutput struct {
	platforms, dir string
	asJSON         bool
}

func (out *referralOutput) flags(cmd *cobra.Command) {
	platformsFlag(cmd, &out.platforms)
	cmd.Flags().StringVarP(&out.dir, "output", "o", "", "the `DIR` for a CSV and a JSON file for each platform")
	jsonFlag(cmd, &out.asJSON)
}

// check fails if one of these flags is given for another format.
func (out *referralOutput) check(format string) error {
	if *out != (referralOutput{}) && format != referral {
		return usage("--platforms, --output and --json are for --format %s", referral)
	}
	if out.dir != "" && out.asJSON {
		return usage("--output writes both CSV and JSON; --json is for standard output")
	}
	return nil
}

func (out *referralOutput) write(cmd *cobra.Command, a *app, l *publish.Ledger) error {
	platforms, err := readPlatforms(out.platforms)
	if err != nil {
		return err
	}
	pages := takedown.Referrals(cmd.Context(), l, platforms)
	switch {
	case out.dir != "":
		return out.writeFiles(a, l.List(), pages)
	case out.asJSON:
		same := func(p takedown.Referral) takedown.Referral { return p }
		return printAll(a, true, pages, same, nil)
	}
	return a.writeOut(func(w io.Writer) error { return writeReferralCSV(w, pages) })
}

// writeReferralCSV writes pages as CSV, so that a spreadsheet reads no cell as a formula.
func writeReferralCSV(w io.Writer, pages iter.Seq2[takedown.Referral, error]) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{"platform", "url", "covers", "category", "reference", "reason", "listed", "expires", "state", "since", "last_check"})
	for p, pageErr := range pages {
		if pageErr != nil || err != nil {
			return cmp.Or(err, pageErr)
		}
		row := []string{
			p.Platform, p.URL, p.Covers, p.Category, p.Reference, p.Reason, dateText(p.Listed), dateText(p.Expires),
			p.State, dateText(p.Since), dateText(p.LastCheck),
		}
		for i := range row {
			row[i] = formats.SpreadsheetCell(row[i])
		}
		err = out.Write(row)
	}
	out.Flush()
	return cmp.Or(err, out.Error())
}

func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// referralFile is the JSON document for one platform.
type referralFile struct {
	List     string              `json:"list"`
	Platform string              `json:"platform"`
	Created  time.Time           `json:"created"`
	Pages    []takedown.Referral `json:"pages"`
}

// writeFiles writes a CSV and a JSON file for each platform.
func (out *referralOutput) writeFiles(a *app, list string, pages iter.Seq2[takedown.Referral, error]) error {
	byPlatform := map[string]*referralFile{}
	now := time.Now().UTC().Truncate(time.Second)
	for p, err := range pages {
		if err != nil {
			return err
		}
		f := byPlatform[p.Platform]
		if f == nil {
			f = &referralFile{List: list, Platform: p.Platform, Created: now}
			byPlatform[p.Platform] = f
		}
		f.Pages = append(f.Pages, p)
	}
	names, err := referralNames(slices.Sorted(maps.Keys(byPlatform)))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out.dir, 0o755); err != nil {
		return err
	}
	total := 0
	for _, platform := range slices.Sorted(maps.Keys(byPlatform)) {
		f := byPlatform[platform]
		if err := f.write(filepath.Join(out.dir, names[platform])); err != nil {
			return err
		}
		a.printf("%s: %s", names[platform], plural(uint64(len(f.Pages)), "page", "pages"))
		total += len(f.Pages)
	}
	a.printf("written: %s, %s, to %s", plural(uint64(total), "page", "pages"), plural(uint64(len(names)), "platform", "platforms"), out.dir)
	return out.printOthers(a, names)
}

// printOthers prints the names of CSV and JSON files in the folder that this export did not write. An earlier export
// with another table of platforms may have left them.
func (out *referralOutput) printOthers(a *app, names map[string]string) error {
	files, err := os.ReadDir(out.dir)
	if err != nil {
		return err
	}
	written := slices.Collect(maps.Values(names))
	var others []string
	for _, f := range files {
		ending := filepath.Ext(f.Name())
		if (ending == ".csv" || ending == ".json") && !slices.Contains(written, strings.TrimSuffix(f.Name(), ending)) {
			others = append(others, f.Name())
		}
	}
	if len(others) > 0 {
		a.printf("not of this export: %s; remove what is left from an earlier one", strings.Join(others, ", "))
	}
	return nil
}

func (f *referralFile) write(path string) error {
	err := writeFile(path+".csv", func(w io.Writer) error { return writeReferralCSV(w, each(f.Pages)) })
	if err != nil {
		return err
	}
	return writeFile(path+".json", func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		enc := json.NewEncoder(buffered)
		enc.SetIndent("", "  ")
		return cmp.Or(enc.Encode(f), buffered.Flush())
	})
}

// referralNames returns a safe file name for each platform, by platform: the platforms themselves may contain any
// characters.
func referralNames(platforms []string) (map[string]string, error) {
	names, taken := map[string]string{}, map[string]string{}
	for _, platform := range platforms {
		name := strings.Map(func(r rune) rune {
			if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune(" ._-", r) {
				return r
			}
			return '_'
		}, platform)
		name = strings.Trim(name, " .") // not hidden, not a folder; Windows drops dots and spaces at the end
		folded := strings.ToLower(name)
		if other, ok := taken[folded]; ok || name == "" {
			return nil, fmt.Errorf("platform %q: %w: its files would be called like those of %q; give it another name with --platforms", platform, blocklist.ErrMalformed, other)
		}
		taken[folded], names[platform] = platform, name
	}
	return names, nil
}
