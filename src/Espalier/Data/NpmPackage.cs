using System.Formats.Tar;
using System.IO.Compression;

namespace Espalier.Data;

/// <summary>A package as npm packs it: a compressed tar archive.</summary>
internal static class NpmPackage
{
    /// <summary>Gives every file of a package to a reader, front to back.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="package">The package's name, for messages.</param>
    /// <param name="reader">Takes a file's name and its content.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="UserErrorException">The archive is damaged.</exception>
    public static void Read(string path, string package, Action<string, Stream> reader, CancellationToken cancellation)
    {
        try
        {
            using var unzipped = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
            using var archive = new TarReader(unzipped);
            while (archive.GetNextEntry() is TarEntry entry)
            {
                cancellation.ThrowIfCancellationRequested();
                if (entry.DataStream is Stream content)
                {
                    reader(entry.Name, content);
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or EndOfStreamException)
        {
            throw new UserErrorException($"The package {package} arrived damaged: {e.Message}", "Try again.", e);
        }
    }
}
