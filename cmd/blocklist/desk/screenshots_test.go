package desk_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// screenshotFolder says where TestScreenshots writes to.
const screenshotFolder = "ARGINE_SCREENSHOTS"

// Screenshots of each page, wide and narrow, in both languages, to be looked at:
//
//	ARGINE_SCREENSHOTS=/path go test ./cmd/blocklist/desk -run TestScreenshots
func TestScreenshots(t *testing.T) {
	folder := os.Getenv(screenshotFolder)
	if folder == "" {
		t.Skip("writes pictures to the folder that " + screenshotFolder + " names")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed")
	}
	a := newAgency(t)
	a.list(t, `example.org category=test ref="order 17" expires=2099-05-01`, "=www.example.net review=2020-01-02", "https://social.example/user/7")
	a.open(t)
	profile := t.TempDir()
	chromium(t, profile, "--dump-dom", a.server.URL+a.links[0])
	for name, path := range map[string]string{
		"start": "/", "list": "/entries", "entry": "/entry?of=example.org", "history": "/history", "add": "/add", "release": "/pending",
		"due": "/due", "proposals": "/proposals", "platforms": "/platforms", "subscribers": "/subscribers", "search": "/search?q=example.org",
	} {
		for _, width := range []int{500, 1440} {
			for _, lang := range []string{"en", "it"} {
				file := filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, lang))
				chromium(t, profile, "--accept-lang="+lang, fmt.Sprintf("--window-size=%d,1000", width), "--screenshot="+file, a.server.URL+path)
				require.FileExists(t, file)
			}
		}
	}
}

// chromium opens one page without a window.
func chromium(t *testing.T, profile string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + profile}, args...)
	require.NoError(t, exec.CommandContext(ctx, "chromium", args...).Run())
}
