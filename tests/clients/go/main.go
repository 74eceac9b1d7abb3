// The scenario of tests/clients/README.md, with nothing but the generated stubs.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	pb "bellringer.dev/client/bellringer/v1"
)

const (
	limit = 60 * time.Second // for everything
	kind  = "scenario.greet"
)

type scenario struct {
	tasks   pb.TaskServiceClient
	workers pb.WorkerServiceClient
	queue   string
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := run(ctx, os.Getenv("BELLRINGER_SERVER")); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL go:", err)
		os.Exit(1)
	}
	fmt.Println("PASS go")
}

func run(ctx context.Context, server string) error {
	connection, err := connect(server)
	if err != nil {
		return err
	}
	defer connection.Close()
	s := scenario{
		tasks:   pb.NewTaskServiceClient(connection),
		workers: pb.NewWorkerServiceClient(connection),
		queue:   "clients-go-" + hex.EncodeToString(random(4)),
	}
	for _, part := range []func(context.Context) error{s.submitWatchAndRun, s.cancelWaiting, s.readRichErrors} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func connect(server string) (*grpc.ClientConn, error) {
	address, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	security := insecure.NewCredentials()
	if address.Scheme == "https" {
		security = credentials.NewTLS(nil)
	}
	return grpc.NewClient(address.Host, grpc.WithTransportCredentials(security))
}

func (s scenario) submitWatchAndRun(ctx context.Context) error {
	input, err := payload(map[string]any{"name": "go"})
	if err != nil {
		return err
	}
	labels := map[string]string{"language": "go"}
	id, err := s.submit(ctx, &pb.TaskSpec{Payload: input, Labels: labels})
	if err != nil {
		return err
	}
	fmt.Println("submit:", id)

	watch, err := s.tasks.Watch(ctx, &pb.WatchTasksRequest{TaskIds: []string{id}})
	if err != nil {
		return err
	}
	snapshot, err := watch.Recv()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if snapshot.Event != pb.WatchEvent_WATCH_EVENT_SNAPSHOT || snapshot.Task.State != pb.TaskState_TASK_STATE_READY {
		return fmt.Errorf("the watch began with %v", snapshot)
	}
	fmt.Println("watch: snapshot,", snapshot.Task.State)

	if err := s.runOne(ctx, id); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	if err := untilFinal(watch, snapshot.Task); err != nil {
		return fmt.Errorf("watch: %w", err)
	}

	got, err := s.tasks.Get(ctx, &pb.GetTaskRequest{TaskId: id})
	if err != nil {
		return err
	}
	task := got.Task
	if !isJSON(task.Result, map[string]any{"greeting": "hello, go"}) {
		return fmt.Errorf("the result is not what was reported: %v", task.Result)
	}
	if len(task.Attempts) != 1 || task.Attempts[0].Outcome != pb.AttemptOutcome_ATTEMPT_OUTCOME_SUCCEEDED {
		return fmt.Errorf("attempts: %v", task.Attempts)
	}
	if !reflect.DeepEqual(task.Spec.Labels, labels) {
		return fmt.Errorf("labels: %v", task.Spec.Labels)
	}
	fmt.Println("get: result, attempts and labels are there")
	return nil
}

// untilFinal reads the watch to its end, which must come after the final state.
func untilFinal(watch grpc.ServerStreamingClient[pb.WatchTasksResponse], seen *pb.Task) error {
	for {
		message, err := watch.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if message.ResumeToken == "" {
			return errors.New("no resume token")
		}
		if message.Event != pb.WatchEvent_WATCH_EVENT_CHANGE {
			continue
		}
		if message.Task.Revision <= seen.Revision {
			return errors.New("the revision did not rise")
		}
		seen = message.Task
	}
	if seen.State != pb.TaskState_TASK_STATE_SUCCEEDED {
		return fmt.Errorf("last seen: %v", seen.State)
	}
	fmt.Printf("watch: %v, the stream ended\n", seen.State)
	return nil
}

func (s scenario) cancelWaiting(ctx context.Context) error {
	id, err := s.submit(ctx, &pb.TaskSpec{Delay: durationpb.New(time.Hour)})
	if err != nil {
		return err
	}
	cancelled, err := s.tasks.Cancel(ctx, &pb.CancelTaskRequest{TaskId: id, Reason: "scenario"})
	if err != nil {
		return err
	}
	got, err := s.tasks.Get(ctx, &pb.GetTaskRequest{TaskId: id})
	if err != nil {
		return err
	}
	for _, task := range []*pb.Task{cancelled.Task, got.Task} {
		if task.State != pb.TaskState_TASK_STATE_CANCELLED {
			return fmt.Errorf("after the cancel: %v", task.State)
		}
	}
	fmt.Println("cancel:", got.Task.State)
	return nil
}

func (s scenario) submit(ctx context.Context, spec *pb.TaskSpec) (string, error) {
	spec.Queue, spec.Kind = s.queue, kind
	submitted, err := s.tasks.Submit(ctx, &pb.SubmitRequest{Task: spec})
	if err != nil {
		return "", err
	}
	if !submitted.Created {
		return "", errors.New("the task was not created")
	}
	return submitted.TaskId, nil
}

func payload(value any) (*pb.Payload, error) {
	json, err := structpb.NewValue(value)
	return &pb.Payload{Content: &pb.Payload_Json{Json: json}}, err
}

func isJSON(carrier *pb.Payload, expected any) bool {
	return reflect.DeepEqual(carrier.GetJson().AsInterface(), expected)
}

func random(n int) []byte {
	bytes := make([]byte, n)
	rand.Read(bytes) // never fails: crypto/rand
	return bytes
}
