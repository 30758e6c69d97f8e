using System.Text;

namespace Espalier.Interop;

/// <summary>Small files that must survive a power cut once they are written.</summary>
internal static class DurableFile
{
    public static void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    public static void Write(string path, byte[] bytes)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None);
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{path} cannot be written: {exception.Message}",
                "Free some space, or choose a folder that you may write to.",
                exception);
        }
    }
}
