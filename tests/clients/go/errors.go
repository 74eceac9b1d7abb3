package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "bellringer.dev/client/bellringer/v1"
)

func (s scenario) readRichErrors(ctx context.Context) error {
	bad := &pb.TaskSpec{Queue: "a bad name!", Kind: ""}
	_, err := s.tasks.Submit(ctx, &pb.SubmitRequest{Task: bad})
	request, err := refused(err, codes.InvalidArgument, "INVALID_ARGUMENT")
	if err != nil {
		return err
	}
	var fields []string
	for _, violation := range request.GetFieldViolations() {
		fields = append(fields, violation.Field)
	}
	slices.Sort(fields)
	if !slices.Contains(fields, "task.kind") || !slices.Contains(fields, "task.queue") {
		return fmt.Errorf("violations on %v", fields)
	}
	fmt.Println("error: INVALID_ARGUMENT, violations on", strings.Join(fields, ", "))

	_, err = s.tasks.Get(ctx, &pb.GetTaskRequest{TaskId: uuid7()})
	if _, err = refused(err, codes.NotFound, "TASK_NOT_FOUND"); err != nil {
		return err
	}
	fmt.Println("error: NOT_FOUND, TASK_NOT_FOUND")
	return nil
}

// refused checks that a call failed as it must, and answers with the bad fields, if any.
func refused(err error, code codes.Code, reason string) (*errdetails.BadRequest, error) {
	if status.Code(err) != code {
		return nil, fmt.Errorf("expected %v, got: %v", code, err)
	}
	var info *errdetails.ErrorInfo
	var request *errdetails.BadRequest
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.BadRequest:
			request = detail
		}
	}
	if info.GetDomain() != "bellringer.v1" || info.GetReason() != reason {
		return nil, fmt.Errorf("expected reason %s, got error info %v", reason, info)
	}
	return request, nil
}

func uuid7() string {
	id := random(16)
	now := time.Now().UnixMilli()
	for i := range 6 {
		id[i] = byte(now >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
