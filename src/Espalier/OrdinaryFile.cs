using System.Runtime.InteropServices;

namespace Espalier;

/// <summary>
/// Files of a user, opened only where they are files: a pipe would be waited for without end, a device read without end.
/// </summary>
internal static unsafe partial class OrdinaryFile
{
    /// <summary>More than any file of settings has.</summary>
    public const int MostSettings = 16 << 20;

    private const int TypeMask = 0xF000, Regular = 0x8000, Folder = 0x4000, Pipe = 0x1000, Socket = 0xC000;

    /// <summary>Refuses what is there and is no file; folders, and what is not there, are for the caller to find.</summary>
    /// <exception cref="UserErrorException">It is a pipe, a socket or a device.</exception>
    public static void Require(string path)
    {
        int type = Status.Of(path) is Status status ? status.Mode & TypeMask : Regular;
        if (type is not (Regular or Folder))
        {
            throw new UserErrorException(
                $"{path} is {(type == Pipe ? "a pipe" : type == Socket ? "a socket" : "a device")}, not a file.",
                "Name an ordinary file: write what the pipe or device gives into one first.");
        }
    }

    /// <summary>Opens a file to be read from its beginning to its end.</summary>
    /// <exception cref="UserErrorException">It is no file.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static FileStream Open(string path)
    {
        Require(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
    }

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">The most bytes that such a file may have.</param>
    /// <exception cref="UserErrorException">It is no file, or too large.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static byte[] Read(string path, int most = MostSettings)
    {
        using FileStream file = Open(path);
        using var content = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = file.Read(buffer)) > 0;)
        {
            content.Write(buffer.AsSpan(0, read));
            if (content.Length > most)
            {
                throw new UserErrorException($"{path} is larger than {most >> 20} MB.", "Is it the right file?");
            }
        }

        return content.ToArray();
    }

    /// <summary>Which folder a path leads to, whatever links lie on it; null where the system does not say.</summary>
    public static (uint, uint, ulong)? Identity(string path) =>
        Status.Of(path) is Status status ? (status.DeviceMajor, status.DeviceMinor, status.Inode) : null;

    /// <summary>What Linux says of a path, links followed: the parts of its <c>struct statx</c> that are asked for here.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly partial struct Status
    {
        [field: FieldOffset(28)]
        public ushort Mode { get; }

        [field: FieldOffset(32)]
        public ulong Inode { get; }

        [field: FieldOffset(136)]
        public uint DeviceMajor { get; }

        [field: FieldOffset(140)]
        public uint DeviceMinor { get; }

        public static Status? Of(string path)
        {
            const int WorkingDirectory = -100;
            const uint TypeAndInode = 0x101;
            Status status = default;
            return OperatingSystem.IsLinux() && ReadStatus(WorkingDirectory, path, 0, TypeAndInode, &status) == 0 ? status : null;
        }

        [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
        private static partial int ReadStatus(int folder, string path, int flags, uint mask, Status* status);
    }
}
