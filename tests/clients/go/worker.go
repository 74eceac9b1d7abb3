package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	pb "bellringer.dev/client/bellringer/v1"
)

// runOne is a worker for one task.
func (s scenario) runOne(ctx context.Context, id string) error {
	stream, err := s.workers.Work(ctx)
	if err != nil {
		return err
	}
	hello := &pb.Hello{WorkerName: "go scenario", Queues: []string{s.queue}, Kinds: []string{kind}, Credit: 1}
	answer, err := exchange(stream, &pb.WorkRequest{Message: &pb.WorkRequest_Hello{Hello: hello}})
	if err != nil {
		return err
	}
	welcome := answer.GetWelcome()
	if welcome.GetSessionToken() == "" {
		return fmt.Errorf("expected welcome, got %v", answer)
	}
	fmt.Println("work: welcome, leases last", welcome.LeaseDuration.AsDuration())

	if answer, err = stream.Recv(); err != nil {
		return err
	}
	if len(answer.GetAssign().GetAssignments()) != 1 {
		return fmt.Errorf("expected one assignment, got %v", answer)
	}
	assigned := answer.GetAssign().Assignments[0]
	if assigned.TaskId != id || assigned.Attempt != 1 || assigned.Tries != 1 {
		return fmt.Errorf("assigned %v", assigned)
	}
	if !isJSON(assigned.Payload, map[string]any{"name": "go"}) {
		return fmt.Errorf("the payload is not what was submitted: %v", assigned.Payload)
	}
	fmt.Printf("work: assigned attempt %d of %s\n", assigned.Attempt, assigned.TaskId)

	result, err := payload(map[string]any{"greeting": "hello, go"})
	if err != nil {
		return err
	}
	report := &pb.Report{Reports: []*pb.AttemptReport{{
		TaskId:  assigned.TaskId,
		Attempt: assigned.Attempt,
		Outcome: &pb.AttemptReport_Succeeded{Succeeded: &pb.Succeeded{Result: result}},
	}}}
	if answer, err = exchange(stream, &pb.WorkRequest{Message: &pb.WorkRequest_Report{Report: report}}); err != nil {
		return err
	}
	if len(answer.GetAcks().GetAcks()) != 1 {
		return fmt.Errorf("expected one ack, got %v", answer)
	}
	ack := answer.GetAcks().Acks[0]
	if ack.TaskId != id || ack.Attempt != 1 || ack.Reason != pb.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return fmt.Errorf("ack: %v", ack)
	}
	fmt.Println("work: reported success, acked")

	answer, err = exchange(stream, &pb.WorkRequest{Message: &pb.WorkRequest_Goodbye{Goodbye: &pb.Goodbye{}}})
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("after goodbye: %v, %w", answer, err)
	}
	fmt.Println("work: goodbye, the stream ended")
	return nil
}

type workStream = grpc.BidiStreamingClient[pb.WorkRequest, pb.WorkResponse]

func exchange(stream workStream, request *pb.WorkRequest) (*pb.WorkResponse, error) {
	// On io.EOF the reason is what Recv says.
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.Recv()
}
