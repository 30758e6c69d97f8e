using System.Text;

namespace Espalier.Data;

/// <summary>
/// GPT-2's alphabet: every byte as one printable character, so that any bytes can be written as a token in a text file.
/// Printable Latin-1 bytes stand for themselves; the other 68 become U+0100 and following.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] ByteToChar = new char[256];
    private static readonly Dictionary<char, byte> CharToByte = [];

    static ByteAlphabet()
    {
        int next = 0;
        var shifted = new List<byte>();
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            ByteToChar[b] = printable ? (char)b : (char)(256 + next++);
            CharToByte[ByteToChar[b]] = (byte)b;
            if (printable)
            {
                InGpt2Order.Add((byte)b);
            }
            else
            {
                shifted.Add((byte)b);
            }
        }

        InGpt2Order.AddRange(shifted);
    }

    /// <summary>The 256 bytes as GPT-2 numbers them: ordered by their characters.</summary>
    public static List<byte> InGpt2Order { get; } = new(256);

    /// <summary>The token string of some bytes.</summary>
    public static string ToToken(ReadOnlySpan<byte> bytes)
    {
        var token = new char[bytes.Length];
        for (int i = 0; i < token.Length; i++)
        {
            token[i] = ByteToChar[bytes[i]];
        }

        return new string(token);
    }

    /// <summary>The bytes of a token string. One with a character outside the alphabet stands for its own UTF-8.</summary>
    public static byte[] ToBytes(string token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!CharToByte.TryGetValue(token[i], out bytes[i]))
            {
                return Encoding.UTF8.GetBytes(token);
            }
        }

        return bytes;
    }
}
