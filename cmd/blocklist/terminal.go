package main

import (
	"bufio"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/argine-dns/argine/blocklist/publish/keys"
)

// passphraseVariable is the environment variable with the passphrase of a key, for use without a terminal.
const passphraseVariable = "BLOCKLIST_PASSPHRASE"

// terminal returns s as a file. It returns false if s is not a terminal.
func terminal(s any) (*os.File, bool) {
	f, ok := s.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// passphrase returns the passphrase from the environment variable, or asks for it at the terminal.
func (a *app) passphrase(variable, prompt string) (string, error) {
	if phrase, ok := os.LookupEnv(variable); ok {
		return phrase, nil
	}
	f, ok := terminal(a.stdin)
	if !ok {
		return "", withHint(errors.New("there is no terminal to ask for the passphrase"), "set %s", variable)
	}
	defer hideInput(f)() // before the prompt: what is typed or pasted right after it is not shown
	fmt.Fprint(a.stderr, prompt)
	phrase, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.stderr)
	return string(phrase), err
}

// minPassphrase is the minimum length of a passphrase, in characters. A thief of the key file can try passphrases
// offline; because of scrypt, each try costs a second of one processor. So 12 random characters are safe, but not 12
// characters of common words.
const minPassphrase = 12

// newPassphrase asks twice for a new passphrase, unless the environment variable has it. It fails if the passphrase is
// too short or the two differ.
func (a *app) newPassphrase(variable string) (string, error) {
	phrase, err := a.passphrase(variable, "new passphrase: ")
	if err != nil {
		return "", err
	}
	if phrase == "" {
		return "", withHint(errors.New("the passphrase is empty"), "--no-passphrase leaves the key unprotected, if that is what you want")
	}
	if utf8.RuneCountInString(phrase) < minPassphrase {
		return "", fmt.Errorf("the passphrase is too short: it needs at least %d characters, as anyone with a copy of the key file can try many; some words are easy to remember", minPassphrase)
	}
	again, err := a.passphrase(variable, "the same again: ")
	if err == nil && again != phrase {
		err = errors.New("the two passphrases differ")
	}
	return phrase, err
}

// confirm asks a question at the terminal. It fails with errNotSigned unless the answer is yes, see [app.ask].
func (a *app) confirm(question string) error {
	if _, ok := terminal(a.stdin); !ok {
		return withHint(errors.New("there is no terminal to ask for your consent"), "--yes gives it, once you have seen what it is about")
	}
	if yes, err := a.ask(question); err != nil || yes {
		return err
	}
	return errNotSigned
}

// errNotSigned is returned if a person was asked for consent to sign, and did not say yes.
var errNotSigned = errors.New("you did not say yes; nothing was signed")

// maxAnswers limits what a person may answer to one question, in bytes.
const maxAnswers = 4 << 10

// ask asks a question at the terminal, and reports whether the answer is yes, in English or Italian. An empty answer
// and the end of the input count as no. After any other answer, it asks again.
func (a *app) ask(question string) (yes bool, err error) {
	in := bufio.NewReader(io.LimitReader(a.stdin, maxAnswers))
	for {
		fmt.Fprintf(a.stderr, "%s [y/N] ", question)
		answer, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes", "s", "si", "sì", "si'":
			return true, nil
		case "", "n", "no":
			return false, nil
		}
		if err != nil {
			return false, nil
		}
		a.printf("yes or no? (sì o no?)")
	}
}

// confirmClock returns the function that decides whether a doubted clock is right. With --clock-is-right, it always
// returns true. Otherwise it asks the person at the terminal; without a terminal, confirmClock returns nil.
func (a *app) confirmClock() func(doubt error) bool {
	_, ok := terminal(a.stdin)
	switch {
	case a.clockIsRight:
		return func(error) bool { return true }
	case !ok:
		return nil
	}
	return func(doubt error) bool {
		a.printf("%v", doubt)
		yes, err := a.ask("is the clock of this machine right?")
		return yes && err == nil
	}
}

// progress returns two functions: show prints the text with a count on the terminal, at most five times a second, and
// done clears it. Without a terminal, show is nil.
func (a *app) progress(text string) (show func(uint64), done func()) {
	if _, ok := terminal(a.stderr); !ok {
		return nil, func() {}
	}
	var last time.Time
	show = func(n uint64) {
		if time.Since(last) > 200*time.Millisecond {
			last = time.Now()
			fmt.Fprintf(a.stderr, "\r"+text, thousands(n))
		}
	}
	return show, func() { fmt.Fprint(a.stderr, "\r\033[K") }
}

// during shows a text with the elapsed seconds on the terminal, until done is called. Use it for long work that has no
// counts and prints nothing.
func (a *app) during(text string) (done func()) {
	show, clear := a.progress(text + ": %s s")
	if show == nil {
		return clear
	}
	ctx, cancel := context.WithCancel(context.Background())
	var shown sync.WaitGroup
	shown.Go(func() {
		begin, tick := time.Now(), time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				show(uint64(now.Sub(begin).Round(time.Second).Seconds()))
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		shown.Wait()
		clear()
	}
}

// visible escapes control characters and characters that change the writing direction, so that a terminal shows them
// instead of obeying them. Line ends and tabs stay. All output of commands passes through visible or [visibleJSON].
func visible(text string) string {
	return escaped(text, func(r rune) string { return strings.Trim(strconv.QuoteRuneToASCII(r), "'") })
}

// escaped replaces each character that a terminal obeys, see [obeyed], by the result of the function escape.
func escaped(text string, escape func(rune) string) string {
	text = strings.ToValidUTF8(text, "\ufffd") // some terminals read octets from 0x80 on as control characters, too
	if !strings.ContainsFunc(text, obeyed) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if obeyed(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// obeyed reports whether a terminal takes a character as a command or as the end of a line, or shows nothing for it.
func obeyed(r rune) bool {
	return r != '\n' && r != '\t' &&
		(unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Cf))
}

// visibleWriter writes text in the form that [visible] returns.
type visibleWriter struct{ io.Writer }

func (w visibleWriter) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.Writer, visible(string(p)))
	return len(p), err
}

// thousands returns a number with commas between groups of three digits.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural returns a count with its noun, in the singular or the plural.
func plural(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + more
}

// maxTries is the maximum number of times that the user is asked for the passphrase of a key.
const maxTries = 3

// loadKey loads an officer's key, and asks for its passphrase if the key has one.
func (a *app) loadKey(key string) (crypto.Signer, error) {
	_, given := os.LookupEnv(passphraseVariable)
	for try := 1; ; try++ {
		signer, err := keys.Load(key, func() (string, error) { return a.passphrase(passphraseVariable, "passphrase of "+key+": ") })
		if given || try == maxTries || !errors.Is(err, keys.ErrPassphrase) {
			return signer, err
		}
		a.printf("%v; try again", err)
	}
}
