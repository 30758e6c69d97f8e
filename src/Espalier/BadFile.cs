using System.Text.Json;

namespace Espalier;

/// <summary>The mistakes that any file of a user may have, said alike wherever one is read.</summary>
internal static class BadFile
{
    /// <summary>A file that cannot be opened or read.</summary>
    public static UserErrorException Unreadable(string path, Exception exception) =>
        exception is FileNotFoundException or DirectoryNotFoundException
            ? new($"{path} does not exist.", "Check the name and the folder.", exception)
            : new($"{path} cannot be read: {exception.Message}", "Name a file that you may read.", exception);

    /// <summary>A file that is not JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="exception">
    /// What the parser threw. Not always a <see cref="JsonException"/>: .NET says by plainer exceptions that a string
    /// holds half of a surrogate pair, or a key stands twice; these know no place.
    /// </param>
    /// <param name="line">The line that was parsed by itself, from 1; null where all of the file was parsed.</param>
    public static UserErrorException NotJson(string path, Exception exception, long? line = null) =>
        new($"{JsonPlace(path, exception, line)} is not valid JSON: {JsonReason(exception)}", inner: exception);

    /// <summary>Where the parser stopped: <c>FILE:LINE:COLUMN</c>, from 1, the column in bytes.</summary>
    public static string JsonPlace(string path, Exception exception, long? line = null)
    {
        var json = exception as JsonException;
        line ??= json?.LineNumber + 1;
        string column = json?.BytePositionInLine is long bytes ? $":{bytes + 1}" : "";
        return line is null ? path : $"{path}:{line}{column}";
    }

    /// <summary>Why the parser stopped, without the place and without advice for those who program it.</summary>
    public static string JsonReason(Exception exception)
    {
        string reason = exception.Message;
        foreach (string tail in new[] { " Path: ", " LineNumber: ", " Change the reader options." })
        {
            int end = reason.IndexOf(tail, StringComparison.Ordinal);
            reason = end < 0 ? reason : reason[..end];
        }

        return reason;
    }
}
