package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/dnsfilter"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c dnsfilter.yaml",
		Short: "Tell every mistake in the settings, with its line",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := dnsfilter.ReadSettings(path)
			if err != nil {
				return err
			}
			if err := s.CheckFiles(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: no mistakes; %d lists\n", path, len(s.Lists))
			return nil
		},
	}
	requireSettings(cmd, &path)
	return cmd
}

func requireSettings(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "settings `file`")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *path == "" {
			return usageError{errors.New("a settings file is needed"), cmd.UseLine()}
		}
		return nil
	}
}
