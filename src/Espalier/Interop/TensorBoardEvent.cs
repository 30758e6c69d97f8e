using Google.Protobuf;

namespace Espalier.Interop;

/// <summary>
/// The few messages of TensorFlow's event.proto and summary.proto that scalars need, written field by field: the field
/// numbers are the schema.
/// </summary>
internal static class TensorBoardEvent
{
    // Event
    private const int WallTime = 1, Step = 2, FileVersion = 3, SummaryField = 5, SessionLog = 7;

    // Summary, Summary.Value, SessionLog
    private const int SummaryValue = 1, ValueTag = 1, ValueSimpleValue = 2, SessionStatus = 1;
    private const int SessionStart = 1;

    /// <summary>The first record of every file.</summary>
    public static byte[] Version(double wallTime) =>
        Message(wallTime, 0, output => WriteString(output, FileVersion, "brain.Event:2"));

    /// <summary>Tells TensorBoard to forget what earlier files say of <paramref name="step"/> and later steps.</summary>
    public static byte[] Start(double wallTime, long step) => Message(wallTime, step, output =>
        WriteMessage(output, SessionLog, log =>
        {
            log.WriteTag(SessionStatus, WireFormat.WireType.Varint);
            log.WriteEnum(SessionStart);
        }));

    /// <summary>Some scalars of one step.</summary>
    public static byte[] Scalars(double wallTime, long step, IReadOnlyList<(string Tag, double Value)> scalars) =>
        Message(wallTime, step, output => WriteMessage(output, SummaryField, summary =>
        {
            foreach ((string tag, double value) in scalars)
            {
                WriteMessage(summary, SummaryValue, scalar =>
                {
                    WriteString(scalar, ValueTag, tag);
                    scalar.WriteTag(ValueSimpleValue, WireFormat.WireType.Fixed32);
                    scalar.WriteFloat((float)value);
                });
            }
        }));

    private static byte[] Message(double wallTime, long step, Action<CodedOutputStream> writeBody) => Bytes(output =>
    {
        output.WriteTag(WallTime, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        output.WriteTag(Step, WireFormat.WireType.Varint);
        output.WriteInt64(step);
        writeBody(output);
    });

    private static void WriteString(CodedOutputStream output, int field, string text)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(text);
    }

    private static void WriteMessage(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(Bytes(write)));
    }

    private static byte[] Bytes(Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            write(output);
        }

        return stream.ToArray();
    }
}
