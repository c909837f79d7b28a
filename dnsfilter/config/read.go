package config

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/dnstap"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// parseSettings parses the text of a settings file, and the files that it includes.
func parseSettings(path string, text []byte) (*Settings, error) {
	r := &reader{file: path}
	s := &Settings{
		File: path, Cache: dnsfilter.DefaultCache, fileAt: map[string]position{}, given: map[string]bool{},
		values: map[string]string{},
	}
	r.settings(text, s.fields(r).keeping(s.values).recording(s.given))
	readers := append([]*reader{r}, s.readIncluded(r)...)
	s.setDefaults()
	s.finishLists(r)
	s.placeFetched(r)
	s.checkZoneLists(r)
	for _, each := range readers {
		each.finish()
	}
	if err := s.checkLoop(s.Upstream); err != nil {
		r.fail(position{line: 1, column: 1}, "%v", err)
	}
	return s, allErrors(readers).err()
}

// settings parses the text of a settings file or an included file with the parsers of the known keys.
func (r *reader) settings(text []byte, known fields) {
	body := r.document(text)
	// an empty file, as an interrupted write leaves it, must not lift every block
	if body == nil && len(r.errs) == 0 && !bytes.ContainsRune(text, '#') {
		r.fail(position{}, "the file is empty; a comment alone sets nothing")
	}
	if body != nil {
		r.mapping(body, known)
	}
}

// fields returns the known keys of the settings and the parser of each.
func (s *Settings) fields(r *reader) fields {
	return fields{
		"include":  s.readInclude(r),
		"listen":   func(n *yaml.Node) { s.readListen(r, n) },
		"upstream": nonEmpty(r, &s.Upstream, upstream.ParseEndpoint),
		"state":    s.file(r, &s.State),
		"clients":  nonEmpty(r, &s.Clients, parseNetwork),
		"local":    func(n *yaml.Node) { s.Local = []string{}; scalars(r, &s.Local, parseSpecial)(n) },
		"forward":  func(n *yaml.Node) { s.readForward(r, n) },
		"canaries": func(n *yaml.Node) { s.readCanaries(r, n) },
		"metrics":  scalar(r, &s.Metrics, parseMetrics),
		"cache":    scalar(r, &s.Cache, parseSize),
		"lists":    func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readList(r, item) }) },
		"allow":    s.files(r, &s.Allow),
		"quorum":   func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readQuorum(r, item) }) },
		"views":    func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readView(r, item) }) },
		"guard":    func(n *yaml.Node) { s.readGuard(r, n) },

		"structured_errors": scalar(r, &s.StructuredErrors, parseOption),

		"certificate":    func(n *yaml.Node) { s.readCertificate(r, n) },
		"proxy_protocol": nonEmpty(r, &s.Proxies, parseNetwork),
		"rate_limit":     func(n *yaml.Node) { s.readRateLimit(r, n) },
		"pprof":          scalar(r, &s.Pprof, parsePprof),
		"cookie_secrets": s.file(r, &s.CookieSecrets),
		"stop_page":      func(n *yaml.Node) { s.readStopPage(r, n) },
		"web":            scalar(r, &s.Web, parseWeb),
		"dnstap":         scalar(r, &s.Dnstap, dnstap.ParseTarget),
		"query_log":      func(n *yaml.Node) { s.readQueryLog(r, n) },
		"records":        s.file(r, &s.Records),
		"stale":          func(n *yaml.Node) { s.readStale(r, n) },
		"block_ttl":      scalar(r, &s.BlockTTL, parseBlockTTL),
		"server_id":      func(n *yaml.Node) { s.readServerID(r, n) },
		"rpz":            func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readPolicyZone(r, item) }) },
		"zone_files":     func(n *yaml.Node) { s.readZoneFiles(r, n) },
	}
}

// files returns a parser of a sequence of paths. The parser also notes the position of each path, for errors.
func (s *Settings) files(r *reader, dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var path string
			if scalar(r, &path, s.path)(item); path != "" {
				*dst = append(*dst, path)
				s.fileAt[path] = r.position(item)
			}
		})
	}
}

// readGuard parses the limits of the guard.
func (s *Settings) readGuard(r *reader, n *yaml.Node) {
	r.mapping(n, fields{
		"max_growth": scalar(r, &s.Guard.MaxGrowth, guard.ParseShare),
		"max_shrink": scalar(r, &s.Guard.MaxShrink, guard.ParseShare),
		"built_in":   scalar(r, &s.Guard.NoBuiltIn, parseBuiltIn),
		"protected":  s.files(r, &s.Guard.Protected),
		"popular":    s.files(r, &s.Guard.Popular),
	})
}

// origin parses a base URL or the path of a folder.
func (s *Settings) origin(text string) (string, error) {
	if !strings.Contains(text, "://") {
		return s.path(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("origin %q: write https://host, or the path of a folder", text)
	}
	return text, nil
}

// Read reads and parses a settings file. Parse errors have the type [Errors], with all errors of the file. It does not
// check the files named in the settings: see [Settings.CheckFiles].
func Read(path string) (*Settings, error) {
	text, err := files.ReadSmall(path)
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	return parseSettings(path, text)
}
