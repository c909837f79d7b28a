package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// answerJSON is the answer to one line. Where it could not tell there is no "listed", lest it be taken for a no.
type answerJSON struct {
	Query  string `json:"query"`
	Listed *bool  `json:"listed,omitempty"`
	Error  string `json:"error,omitempty"`
	List   string `json:"list,omitempty"`
	*entryJSON
}

// answers looks up in lists that may change.
type answers struct {
	open    func() (lists, func(), error)
	report  func(error)
	path    string
	lists   lists
	done    func()
	version string // of the files that lists was made of
	checked time.Time
}

// answerLines answers the lines of standard input until it ends.
func (a *app) answerLines(ctx context.Context, in *input, path string) error {
	if path == "-" {
		return usage("standard input has what to look up; name a file to look in")
	}
	s := &answers{path: path, report: a.report, open: func() (lists, func(), error) { return a.openLists(ctx, in, path) }}
	if err := s.reopen(versionOf(path)); err != nil {
		return exitError{exitUsage, err}
	}
	end := make(chan error, 1)
	go func() { end <- s.run(a.stdin, a.stdout) }()
	select {
	case err := <-end:
		s.done()
		return err
	case <-ctx.Done():
		return context.Cause(ctx) // what reads standard input ends with the program
	}
}

// run answers line after line, and hands the answers over when no further line is there yet.
func (s *answers) run(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReaderSize(in, blocklist.MaxLine), bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for {
		line, err := readLine(r)
		if err != nil && !errors.Is(err, blocklist.ErrTooLarge) {
			return errors.Join(ignoreEOF(err), w.Flush())
		}
		answer := answerJSON{}
		if err == nil {
			answer, err = s.answer(line)
		}
		if err != nil {
			answer = answerJSON{Query: answer.Query, Error: err.Error()}
		}
		if err := enc.Encode(answer); err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readLine reads a line without its end. Of one that is too long nothing is kept: [blocklist.ErrTooLarge].
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		return "", fmt.Errorf("the line is longer than 64 KiB: %w", blocklist.ErrTooLarge)
	}
	if err != nil && len(line) == 0 {
		return "", err
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

func (s *answers) answer(line string) (answerJSON, error) {
	answer := answerJSON{Query: line}
	search, err := searchFor(line)
	if err != nil {
		return answer, err
	}
	s.refresh()
	m, ok := search(s.lists)
	answer.Listed = &ok
	if !ok {
		return answer, nil
	}
	e, err := matched(m)
	found := toJSON(e)
	answer.List, answer.entryJSON = m.List, &found
	return answer, err
}

// refresh opens the lists anew if they have changed. If they can't be opened, the last good ones stay.
func (s *answers) refresh() {
	if time.Since(s.checked) < 2*time.Second {
		return
	}
	s.checked = time.Now()
	version := versionOf(s.path)
	if version == s.version {
		return
	}
	if err := s.reopen(version); err != nil {
		s.version = version // and is not told again
		s.report(fmt.Errorf("reading %s again; the answers stay as they were: %w", s.path, err))
	}
}

func (s *answers) reopen(version string) error {
	l, done, err := s.open()
	if err != nil {
		return err
	}
	if s.done != nil {
		s.done()
	}
	s.lists, s.done, s.version, s.checked = l, done, version, time.Now()
	return nil
}

// versionOf changes when a file does, or what counts in a folder.
func versionOf(path string) string {
	var b strings.Builder
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error { // what can't be read is left out
		if err != nil || d.IsDir() || p != path && d.Name() != "state.json" && d.Name() != "ledger.db" {
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&b, p, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}
