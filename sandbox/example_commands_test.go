package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

func ExampleCommand_StdinPipe() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	cmd := sb.Command("sh", "-c", "while read line; do echo \"> $line\"; done")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(ctx); err != nil {
		log.Fatal(err)
	}
	answers := bufio.NewScanner(stdout)
	for _, line := range []string{"one", "two"} { // a conversation
		fmt.Fprintln(stdin, line)
		answers.Scan()
		fmt.Println(answers.Text())
	}
	stdin.Close()
	result, err := cmd.Wait()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.ExitCode)
	// Output:
	// > one
	// > two
	// exited 0
}

func ExampleCommand_terminal() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	cmd := sb.Command("sh", "-c", "test -t 1 && stty size; echo $TERM")
	cmd.Terminal = &sandbox.Size{Rows: 24, Cols: 80}
	cmd.Stdin = os.Stdin // what a person types
	result, err := cmd.Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(strings.ReplaceAll(string(result.Stdout), "\r\n", "\n"))
	// Output:
	// 24 80
	// xterm-256color
}

// A timeout ends all that came of a command, whatever its processes did to escape.
func ExampleCommand_timeout() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	cmd := sb.Command("sh", "-c", "trap '' TERM; setsid sleep 600 & echo working; wait")
	cmd.Timeout, cmd.Grace = 200*time.Millisecond, 100*time.Millisecond
	result, err := cmd.Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s %q\n", result.Outcome, result.Rung, result.Stdout)
	result, err = sb.Exec(ctx, "grep sleep /proc/[0-9]*/comm")
	fmt.Println(result.ExitCode, err) // no process of that name is left
	// Output:
	// timed_out kill "working\n"
	// 1 <nil>
}

func ExampleCommand_Background() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	server := sb.Command("sh", "-c", "echo starting; sleep 0.1; echo listening on 8080; exec sleep 600")
	job, err := server.Background(ctx, &sandbox.JobOptions{Name: "server"})
	if err != nil {
		log.Fatal(err)
	}
	line, err := job.WaitLine(ctx, `listening on (\d+)`, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(line.Text)
	jobs, err := sb.Jobs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(jobs), jobs[0].Name, jobs[0].Running)
	result, err := job.Stop(ctx, time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s %q\n", result.Outcome, result.Rung, result.Stdout)
	// Output:
	// listening on 8080
	// 1 server true
	// canceled term "starting\nlistening on 8080\n"
}

func ExampleSandbox_Interpreter() {
	ctx := context.Background()
	opts := options()
	opts.Image, opts.Runtime = "", "python-minimal" // or any image that has Python
	sb, err := sandbox.Open(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	python, err := sb.Interpreter(ctx, sandbox.Python, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, code := range []string{
		"x = 20",
		"print('adding'); x + 1",
		"while True: x += 1",
		"x > 20",
		"x / 0",
	} {
		e, err := python.Run(ctx, code, &sandbox.ExecutionOptions{Timeout: 200 * time.Millisecond})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s %q", e.Outcome, e.Rung, e.Stdout)
		for _, d := range e.Displays {
			fmt.Printf(" %s", d.Data["text/plain"])
		}
		if e.Exception != nil {
			fmt.Print(" ", e.Exception.Name)
		}
		fmt.Println()
	}
	// Output:
	// exited none ""
	// exited none "adding\n" 21
	// timed_out interrupt "" KeyboardInterrupt
	// exited none "" True
	// exited none "" ZeroDivisionError
}
