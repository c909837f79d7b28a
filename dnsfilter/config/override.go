package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Override replaces settings by command-line values: listen addresses (udp://, tcp://, or without a scheme for both)
// and resolvers. The list files are added after the lists of the settings.
func (s *Settings) Override(listen, resolvers, files []string) error {
	if len(listen) > 0 {
		s.Listen = nil
	}
	for _, text := range listen {
		schemes := []string{text}
		if !strings.Contains(text, "://") {
			schemes = []string{"udp://" + text, "tcp://" + text}
		}
		for _, address := range schemes {
			if _, err := parseListenText(address); err != nil {
				return err
			}
		}
		s.Listen = append(s.Listen, schemes...)
	}
	if len(resolvers) > 0 {
		s.Upstream = nil
	}
	for _, text := range resolvers {
		at, err := upstream.ParseEndpoint(text)
		if err != nil {
			return err
		}
		s.Upstream = append(s.Upstream, at)
	}
	for _, path := range files {
		if err := s.addFile(path); err != nil {
			return err
		}
	}
	if err := s.checkListen(); err != nil {
		return err
	}
	return s.checkLoop(s.Upstream)
}

// addFile adds a list with the file at a path. The base name of the file becomes the name of the list.
func (s *Settings) addFile(path string) error {
	if strings.Contains(path, "://") {
		return files.NotURL(path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := listWord(path)
	for i := 2; s.list(name) != nil; i++ {
		name = fmt.Sprintf("%s-%d", listWord(path), i)
	}
	s.Lists = append(s.Lists, List{Rule: dnsfilter.Rule{List: name, Action: dnsfilter.NXDomain}, File: abs})
	return nil
}
