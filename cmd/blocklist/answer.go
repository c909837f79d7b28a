package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/argine-dns/argine/blocklist"
)

// answerJSON is the answer to one line. If the lookup failed, it has no field "listed", so that no program takes the
// failure for "not listed".
type answerJSON struct {
	Query  string `json:"query"`
	Listed *bool  `json:"listed,omitempty"`
	Error  string `json:"error,omitempty"`
	List   string `json:"list,omitempty"`
	*entryJSON
}

// answerJSONLines answers each line of standard input with a line of JSON, until the input or ctx ends.
func (a *app) answerJSONLines(ctx context.Context, in *input, path string) error {
	s, err := a.openSource(ctx, in, path)
	if err != nil {
		return exitError{exitUsage, err}
	}
	defer s.end()
	if err := s.ready(); err != nil {
		return exitError{exitUsage, err}
	}
	return untilEnd(ctx, func() error { return lineLookup{s}.run(a.stdin, a.stdout) })
}

// untilEnd calls run, which reads standard input, and returns the error of run. If ctx ends first, untilEnd returns at
// once with the cause, while run may still block.
func untilEnd(ctx context.Context, run func() error) error {
	end := make(chan error, 1)
	go func() { end <- run() }()
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lineLookup answers lines: it looks up the text of each line in the lists. The lists may be replaced between two
// lines.
type lineLookup struct{ lists lists }

// run answers each line of in with a line of JSON on out.
func (s lineLookup) run(in io.Reader, out io.Writer) error {
	return answerLines(in, out, func(w io.Writer, line string, err error) error {
		answer := answerJSON{}
		if err == nil {
			answer, err = s.answer(line)
		}
		if err != nil {
			answer = answerJSON{Query: answer.Query, Error: err.Error()}
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(answer)
	})
}

// answerLines calls the function answer for each line of in. It flushes the output when no further line is buffered, so
// that no answer waits for the next line. For a line that is too long, the function gets the beginning of the line and
// [blocklist.ErrTooLarge].
func answerLines(in io.Reader, out io.Writer, answer func(w io.Writer, line string, err error) error) error {
	r, w := bufio.NewReaderSize(in, blocklist.MaxLine), bufio.NewWriter(out)
	for {
		line, err := readLine(r)
		if err != nil && !errors.Is(err, blocklist.ErrTooLarge) {
			return errors.Join(ignoreEOF(err), w.Flush())
		}
		if err := answer(w, line, err); err != nil {
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

// readLine returns the next line without its line end. If the line is too long, it returns the beginning and
// [blocklist.ErrTooLarge].
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		begin := string(line[:80])
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		return begin, fmt.Errorf("the line is longer than 64 KiB: %w", blocklist.ErrTooLarge)
	}
	if err != nil && len(line) == 0 {
		return "", err
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

func (s lineLookup) answer(line string) (answerJSON, error) {
	answer := answerJSON{Query: line}
	search, err := searchFor(line)
	if err != nil {
		return answer, err
	}
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
