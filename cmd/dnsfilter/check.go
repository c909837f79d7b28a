package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c dnsfilter.yaml",
		Short: "Tell every mistake in the settings, with its line, and what of the files is not enforced",
		Long: `Tells every mistake in the settings, with its line. Where there is none, it reads the files of all lists to the end, and tells how
many entries they have, which lines were passed over and why, what the guards would hold were it the first state of a list, and
how many entries for URLs no proxy is named for. Only mistakes make the exit code 1.`,
		Example: `  dnsfilter check -c /etc/dnsfilter/dnsfilter.yaml`,
		Args:    unknown.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := config.Read(path)
			if err != nil {
				return err
			}
			if err := s.CheckFiles(); err != nil {
				return err
			}
			files, err := service.ReadFiles(s)
			for _, f := range files {
				printCheck(cmd.ErrOrStderr(), f)
			}
			if err != nil {
				return err
			}
			g, err := s.Guard.Load(s.Needs()...)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "guards: %s\n", g)
			for _, hint := range s.Hints() {
				fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s\n", hint)
			}
			if err := s.CheckAccess(); err != nil {
				return err
			}
			with := ""
			if n := len(s.Included); n > 0 {
				with = fmt.Sprintf(" and the %d files that it includes", n)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s%s: no mistakes; %d lists\n", path, with, len(s.Lists))
			return nil
		},
	}
	requireSettings(cmd, &path)
	return cmd
}

// printCheck prints the result of checking a file.
func printCheck(w io.Writer, f service.FileCheck) {
	switch {
	case f.Awaited:
		fmt.Fprintf(w, "%s: not fetched yet: dnsfilter serve does that\n", f.List)
	case f.Triggers != nil:
		fmt.Fprintf(w, "%s: policy zone, %d rules%s, file %s\n", f.List, f.Entries, triggersText(f.Triggers), f.File)
	case f.File != "":
		fmt.Fprintf(w, "%s: %s, %d entries, file %s\n", f.List, f.Format, f.Entries, f.File)
	}
	for _, s := range f.Skipped {
		fmt.Fprintf(w, "%s: %s\n", f.List, skippedText(s))
	}
	if f.URLs > 0 {
		fmt.Fprintf(w, "%s: %s\n", f.List, urlsText(f.URLs))
	}
	if f.Held == nil {
		return
	}
	fmt.Fprintf(w, "%s: the guards would hold it, were it the first state of the list; dnsfilter accept puts it in force\n", f.List)
	for _, found := range f.Held.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.List, found.Line())
	}
}

// packagedSettings is the path of the settings file that the packages install.
const packagedSettings = "/etc/dnsfilter/dnsfilter.yaml"

// addSettings adds the flag for the settings file. Its default is the packages' settings file, if that exists.
func addSettings(cmd *cobra.Command, path *string, usage string) {
	cmd.Flags().StringVarP(path, "config", "c", "", usage+" (without: "+packagedSettings+", where it exists)")
	if _, err := os.Stat(packagedSettings); err == nil {
		*path = packagedSettings
	}
}

func requireSettings(cmd *cobra.Command, path *string) {
	addSettings(cmd, path, "settings `file`")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *path == "" {
			return usageError{errors.New("a settings file is needed"), cmd.UseLine()}
		}
		return nil
	}
}
