using ZstdSharp;

namespace Espalier.Data;

/// <summary>Files that may be packed: by gzip where the name ends in <c>.gz</c>, by Zstandard where in <c>.zst</c>.</summary>
internal static class PackedFile
{
    private const string Gzip = ".gz", Zstandard = ".zst";

    /// <summary>The name without the ending that says how it is packed: <c>a.tsv</c> of <c>a.tsv.gz</c>.</summary>
    public static string PlainName(string name) => name[..^Packing(name).Length];

    /// <summary>What is in a file, to be read from its beginning to its end.</summary>
    /// <param name="stored">The file as it lies on the disk.</param>
    /// <param name="name">Its name.</param>
    public static Stream Unpacked(Stream stored, string name) => Packing(name) switch
    {
        Gzip => new WholeGzipStream(stored),
        Zstandard => new DecompressionStream(stored, checkEndOfStream: true, leaveOpen: false),
        _ => stored,
    };

    /// <summary>Whether a failure says that what was packed is damaged or cut off.</summary>
    public static bool IsDamage(Exception e) => e is InvalidDataException or ZstdException or EndOfStreamException;

    /// <summary>The error for a file that is damaged or cut off.</summary>
    public static UserErrorException Damaged(string path, Exception e)
    {
        string kind = PlainName(path).Length + Gzip.Length == path.Length ? "gzip" : "Zstandard";
        string why = e is InvalidDataException ? e.Message : e is EndOfStreamException ? "it is cut off." : "it holds something else.";
        return new UserErrorException($"{path} is not a whole {kind} file: {why}", inner: e);
    }

    private static string Packing(string name) =>
        name.EndsWith(Gzip, StringComparison.OrdinalIgnoreCase) ? name[^Gzip.Length..].ToLowerInvariant()
        : name.EndsWith(Zstandard, StringComparison.OrdinalIgnoreCase) ? Zstandard
        : "";
}
