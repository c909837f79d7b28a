package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter/querylog"
)

const (
	defaultSample = 1000
	maxSample     = 1_000_000
)

// readQueryLog parses the key query_log.
func (s *Settings) readQueryLog(r *reader, n *yaml.Node) {
	l, sampled := &s.QueryLog, false
	before := len(r.errs)
	r.mapping(n, fields{
		"file":      s.file(r, &l.File),
		"only":      scalar(r, &sampled, parseOnly),
		"sample":    scalar(r, &l.Sample, parseSample),
		"addresses": scalar(r, &l.Addresses, querylog.ParseAddresses),
	})
	if len(r.errs) > before {
		return
	}
	switch {
	case l.File == "":
		r.fail(positionOf(n), "a query log needs file: the path that it is written to")
	case l.Sample > 0 && !sampled:
		r.fail(positionOf(n), "sample is for only: sampled")
	case sampled && l.Sample == 0:
		l.Sample = defaultSample
	}
}

// parseOnly parses the value of the key "only", which says what queries are logged. It returns false for "blocked", and
// true for "sampled".
func parseOnly(text string) (sampled bool, err error) {
	switch text {
	case "blocked":
		return false, nil
	case "sampled":
		return true, nil
	}
	return false, fmt.Errorf("only %.100q: it is blocked or sampled", text)
}

// parseSample parses a share like 1/1000 and returns its denominator.
func parseSample(text string) (n int, err error) {
	if rest, ok := strings.CutPrefix(text, "1/"); ok {
		if n, err = countUpTo(maxSample)(rest); err == nil && n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("sample %.100q: write it like 1/1000, at least 1/%d", text, maxSample)
}
