using System.Security.Cryptography;
using System.Text;

namespace Espalier;

/// <summary>SHA-256 as people write it: 64 hexadecimal digits.</summary>
internal static class Sha256
{
    /// <summary>That of a text in UTF-8.</summary>
    public static string Of(string text) => Of(Encoding.UTF8.GetBytes(text));

    /// <summary>That of some bytes.</summary>
    public static string Of(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>That of a file.</summary>
    /// <exception cref="UserErrorException">It is no file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string OfFile(string path)
    {
        using FileStream stream = OrdinaryFile.Open(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    /// <summary>What <c>sha256sum</c> prints in the folder of some files.</summary>
    /// <param name="files">Their paths.</param>
    public static string List(IEnumerable<string> files) =>
        string.Concat(files.Select(file => Line(OfFile(file), file)));

    /// <summary>What it prints of one.</summary>
    public static string Line(string hash, string file) => $"{hash}  {Path.GetFileName(file)}\n";
}
