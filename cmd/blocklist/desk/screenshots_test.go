package desk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
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
	chromium, a := newChromium(t), newScene(t)
	for _, v := range []view{{width: 1280, lang: "en"}, {width: 390, lang: "en"}, {width: 1280, lang: "it", dark: true}, {width: 390, lang: "it"}} {
		w := openWindow(chromium, t, a.server.URL, "rita", v)
		for _, s := range stills() {
			w.look(s)
			w.picture(filepath.Join(folder, fmt.Sprintf("%s-%s.png", s.name, v)))
		}
	}
}

// picture writes a picture of the whole page.
func (w *window) picture(path string) {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(path, png, 0o600))
}
