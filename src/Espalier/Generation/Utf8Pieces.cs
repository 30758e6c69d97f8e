using System.Buffers;
using System.Text;

namespace Espalier.Generation;

/// <summary>
/// UTF-8 that arrives in pieces, passed on as text: the beginning of a character waits for its rest, and what is no
/// character becomes U+FFFD.
/// </summary>
/// <param name="output">Where to.</param>
public sealed class Utf8Pieces(TextWriter output)
{
    private readonly List<byte> _waiting = [];

    /// <summary>Passes on what is complete.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        _waiting.AddRange(bytes);
        Pass(isLast: false);
    }

    /// <summary>Passes on the rest, at the end.</summary>
    public void Complete() => Pass(isLast: true);

    private void Pass(bool isLast)
    {
        ReadOnlySpan<byte> rest = _waiting.ToArray();
        var text = new StringBuilder();
        while (!rest.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf8(rest, out Rune rune, out int width);
            if (status == OperationStatus.NeedMoreData && !isLast)
            {
                break;
            }

            text.Append(rune);
            rest = rest[width..];
        }

        _waiting.RemoveRange(0, _waiting.Count - rest.Length);
        output.Write(text);
        output.Flush();
    }
}
