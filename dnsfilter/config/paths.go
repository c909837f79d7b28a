package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// path checks a path in the settings and returns its absolute form.
func (s *Settings) path(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("a path is needed")
	case strings.Contains(text, "://"):
		return "", files.NotURL(text)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("path %q: it has a line break or another control character", text)
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(s.File), text)
	}
	return filepath.Abs(text)
}

// file returns a parser of a path. The parser stores the absolute form of the path in dst.
func (s *Settings) file(r *reader, dst *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		scalar(r, dst, s.path)(n)
		s.fileAt[*dst] = r.position(n)
	}
}
