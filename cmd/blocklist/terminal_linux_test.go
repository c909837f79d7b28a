package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo-terminal: what is written to tty is read from screen.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, screen.Close()) })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tty.Close()) })
	return screen, tty
}

// TestDuring: long work shows its seconds on a terminal, and leaves nothing there; elsewhere it shows nothing.
func TestDuring(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t)
	synctest.Test(t, func(*testing.T) {
		done := (&app{stderr: tty}).during("making the release")
		time.Sleep(2500 * time.Millisecond)
		done()
	})
	const want = "\rmaking the release: 1 s\rmaking the release: 2 s\r\033[K"
	shown := make([]byte, len(want))
	_, err := io.ReadFull(screen, shown)
	require.NoError(t, err)
	assert.Equal(t, want, string(shown))

	var pipe bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		done := (&app{stderr: &pipe}).during("making the release")
		time.Sleep(2500 * time.Millisecond)
		done()
	})
	assert.Empty(t, pipe.String())
}

// typist types a passphrase as soon as it is asked for.
type typist struct{ screen, tty *os.File }

func (y typist) Write(prompt []byte) (int, error) {
	if string(prompt) == "passphrase: " {
		_, err := y.screen.WriteString("horse battery\n")
		for n := 0; n == 0 && err == nil; time.Sleep(time.Millisecond) { // until the terminal has taken it in
			n, err = unix.IoctlGetInt(int(y.tty.Fd()), unix.TIOCINQ)
		}
		return len(prompt), err
	}
	return len(prompt), nil
}

// TestPassphraseIsNotShown: a passphrase that comes right after the prompt is not echoed.
func TestPassphraseIsNotShown(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t)
	phrase, err := (&app{stdin: tty, stderr: typist{screen, tty}}).passphrase("BLOCKLIST_TEST_UNSET", "passphrase: ")
	require.NoError(t, err)
	assert.Equal(t, "horse battery", phrase)
	_, err = tty.WriteString("after")
	require.NoError(t, err)
	shown := make([]byte, 100)
	n, err := screen.Read(shown)
	require.NoError(t, err)
	assert.NotContains(t, string(shown[:n]), "horse")
	termios, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	require.NoError(t, err)
	assert.NotZero(t, termios.Lflag&unix.ECHO)
}
