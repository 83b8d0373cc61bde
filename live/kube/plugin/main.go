// The commands of the Argo Rollouts plugin for kubectl that act on rollouts and show them. The
// plugin's own main also serves a web page, which is not in its module, so it does not build from it.
package main

import (
	"flag"
	"os"

	log "github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/klog/v2"

	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/abort"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/get"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/list"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/pause"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/promote"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/restart"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/retry"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/set"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/status"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/terminate"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/undo"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/options"
	logutil "github.com/argoproj/argo-rollouts/utils/log"
)

func main() {
	klog.InitFlags(flag.CommandLine)
	logutil.SetKLogLogger(log.New())
	o := options.NewArgoRolloutsOptions(genericclioptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	root := &cobra.Command{
		Use:               "kubectl-argo-rollouts COMMAND",
		Short:             "Acts on rollouts and shows them",
		SilenceUsage:      true,
		PersistentPreRunE: o.PersistentPreRunE,
		RunE:              func(c *cobra.Command, _ []string) error { return o.UsageErr(c) },
	}
	o.AddKubectlFlags(root)
	for _, command := range []func(*options.ArgoRolloutsOptions) *cobra.Command{
		abort.NewCmdAbort, get.NewCmdGet, list.NewCmdList, pause.NewCmdPause, promote.NewCmdPromote,
		restart.NewCmdRestart, retry.NewCmdRetry, set.NewCmdSet, status.NewCmdStatus,
		terminate.NewCmdTerminate, undo.NewCmdUndo,
	} {
		root.AddCommand(command(o))
	}
	if root.Execute() != nil {
		os.Exit(1)
	}
}
