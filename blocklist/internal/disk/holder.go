package disk

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// Holder describes the process that has a lock. The process has written the description itself, so it may be wrong, and
// serves for messages only.
type Holder struct {
	PID     int       `json:"pid"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// String describes the process in an English phrase.
func (h Holder) String() string {
	if h.PID == 0 {
		return "an unknown process"
	}
	return fmt.Sprintf("process %d (%s) of %s on %s, since %s UTC", h.PID, h.Command, h.User, h.Host, h.Since.Format(time.DateTime))
}

// maxCommand is the maximum length of the command line in a [Holder], in bytes.
const maxCommand = 200

// thisProcess describes this process as a holder.
func thisProcess() Holder {
	h := Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	h.Command = strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " ")
	h.Command = strings.ToValidUTF8(h.Command[:min(len(h.Command), maxCommand)], "")
	h.Host, _ = os.Hostname() // both are for people
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// ReadHolder reads the lock file at path, in which the process that has the lock describes itself. It returns the zero
// value if the file can't be read.
func ReadHolder(path string) (h Holder) {
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	defer f.Close() //nolint:errcheck // it was only read
	if json.NewDecoder(io.LimitReader(f, 4<<10)).Decode(&h) != nil {
		return Holder{}
	}
	return h
}

// describedLock is a lock file that describes this process. Close empties it.
type describedLock struct{ *lockedFile }

func describe(f *lockedFile) describedLock {
	_ = f.Truncate(0) // what a killed process left
	if text, err := json.Marshal(thisProcess()); err == nil {
		_, _ = f.Write(append(text, '\n')) // where it can't be written, the process stays unknown
	}
	return describedLock{f}
}

func (l describedLock) Close() error {
	_ = l.Truncate(0)
	return l.lockedFile.Close()
}
