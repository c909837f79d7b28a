package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// DefaultRefresh is the default time between two requests for a list at a URL.
const DefaultRefresh = 6 * time.Hour

// minRefresh and maxRefresh are the limits of the key refresh.
const (
	minRefresh = time.Minute
	maxRefresh = 30 * 24 * time.Hour
)

// Key reads the TSIG key for requests to the primaries. It returns nil if there is none.
func (f *Fetch) Key() (*rpz.Key, error) {
	if f.KeyFile == "" {
		return nil, nil //nolint:nilnil // see above
	}
	keys, err := rpz.ReadKeys(f.KeyFile)
	if err != nil {
		return nil, err
	}
	return &keys[0], nil
}

// fetchFields returns the parsers of the keys that say from where a list is fetched, and the parser of the key rpz,
// which has the name of the list's policy zone.
func (s *Settings) fetchFields(r *reader, l *List) fields {
	return fields{
		"url":        oneOrMore(r, &l.Fetch.URLs, parseListURL),
		"refresh":    scalar(r, &l.Fetch.Refresh, parseSeconds(minRefresh, maxRefresh)),
		"allow_http": scalar(r, &l.Fetch.AllowHTTP, parseSwitch),
		"rpz":        scalar(r, &l.RPZ, parsePolicyZone),
		"primary":    oneOrMore(r, &l.Fetch.Primaries, upstream.ParseEndpoint),
		"key":        scalar(r, &l.Fetch.KeyFile, s.keyFile),
	}
}

// oneOrMore returns a parser of a single value, or of a sequence of them.
func oneOrMore[T any](r *reader, dst *[]T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}, Line: n.Line, Column: n.Column}
		}
		nonEmpty(r, dst, parse)(n)
	}
}

// parseListURL parses the http or https URL of a list.
func parseListURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("url %.200q: write a URL like https://lists.example/ads.txt", text)
	}
	return text, nil
}

func isPlainHTTP(text string) bool { return strings.HasPrefix(strings.ToLower(text), "http:") }

// fetchContradictions returns a message for each key that is missing in a fetched list, or contradicts another key.
func (l *List) fetchContradictions(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	fetched := given["url"] || given["primary"]
	sources := 0
	for _, key := range []string{"file", "url", "primary", "from"} {
		if given[key] {
			sources++
		}
	}
	note(sources > 1 && fetched, "a list has one of file, url, primary (with rpz and key), and from (with root)")
	note(given["root"] && !given["from"] && fetched, "root is for signed lists, which have from")
	note((given["refresh"] || given["allow_http"]) && !given["url"], "refresh and allow_http are for lists with a url")
	note(!l.Fetch.AllowHTTP && slices.ContainsFunc(l.Fetch.URLs, isPlainHTTP),
		"a list that comes over http can be changed on its way: write https, or allow_http: on if the network is yours")
	return append(why, l.primaryContradictions(given)...)
}

// primaryContradictions returns a message for each key that is missing in a list with the key primary or rpz, or
// contradicts another key.
func (l *List) primaryContradictions(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(given["primary"] && !given["rpz"], "a list with primary needs the name of its zone: rpz: feed.example")
	note(given["primary"] && !given["key"],
		"a list with primary needs a key, the file that tsig-keygen writes; key: none takes a zone without signatures")
	note(given["key"] && !given["primary"], "key is for lists with a primary")
	note(given["rpz"] && given["from"], "rpz is for files, and for what is fetched into one; a signed list says itself what it means")
	note(given["rpz"] && given["zone"], "rpz names the zone already: leave zone out")
	note(given["rpz"] && l.Format != "" && l.Format != formats.RPZ, "rpz is a zone: leave format out")
	return why
}

// placeFetched sets the path of the file of each fetched list. The file is in the state folder; without one,
// placeFetched adds an error.
func (s *Settings) placeFetched(r *reader) {
	for i := range s.Lists {
		l := &s.Lists[i]
		switch {
		case !l.Fetch.IsSet() || l.broken:
		case s.State == "":
			r.fail(l.position, "a list that is fetched needs a state folder: state: /var/lib/dnsfilter")
		default:
			l.File = filepath.Join(s.FetchedDir(l.Rule.List), fetchedFile)
		}
	}
}

// fetchedFile is the name of the file of a fetched list.
const fetchedFile = "list"

// FetchedDir returns the folder for the files of one fetched list. With an empty name, it returns the parent folder,
// which has one folder for each fetched list.
func (s *Settings) FetchedDir(list string) string {
	return filepath.Join(s.State, "fetched", strings.ReplaceAll(list, "/", "_")) // no list name has a _
}

// Awaited reports whether the list is fetched and its file does not exist yet.
func (l LocalFile) Awaited() bool {
	if !l.Fetched {
		return false
	}
	_, err := os.Stat(l.Path)
	return errors.Is(err, fs.ErrNotExist)
}
