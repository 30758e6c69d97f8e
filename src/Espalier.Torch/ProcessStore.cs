using System.Runtime.InteropServices;
using System.Text;

using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>Where processes meet: c10d's TCPStore, which keeps small values by key at one address.</summary>
public sealed class ProcessStore : IDisposable
{
    private ProcessStore(StoreHandle handle) => Handle = handle;

    internal StoreHandle Handle { get; }

    /// <summary>Opens the store, or meets it at its address.</summary>
    /// <param name="host">The host of the process that serves it.</param>
    /// <param name="port">Its port.</param>
    /// <param name="serves">Whether this process serves it.</param>
    /// <param name="prefix">What all keys are below.</param>
    /// <param name="timeout">How long to wait for the address, and for keys.</param>
    /// <exception cref="TorchException">The port is taken, nobody answers, or this build has no process groups.</exception>
    public static ProcessStore Open(string host, int port, bool serves, string prefix, TimeSpan timeout) =>
        new(Check(esp_store(host, port, serves ? 1 : 0, prefix, (long)timeout.TotalMilliseconds)));

    /// <summary>Puts a value.</summary>
    /// <exception cref="TorchException">The store is gone.</exception>
    public unsafe void Set(string key, string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* pointer = bytes)
        {
            _ = Check(esp_store_set(Handle, key, pointer, bytes.Length));
        }
    }

    /// <summary>Whether a key is there.</summary>
    /// <exception cref="TorchException">The store is gone.</exception>
    public bool Has(string key)
    {
        _ = Check(esp_store_has(Handle, key, out int has));
        return has != 0;
    }

    /// <summary>The value of a key; waits for it.</summary>
    /// <exception cref="TorchException">The store is gone, or the key did not come in time.</exception>
    public unsafe string Get(string key)
    {
        _ = Check(esp_store_get(Handle, key, out byte* value, out long length));
        return Encoding.UTF8.GetString(value, (int)length);
    }

    /// <summary>Adds to the number that a key holds, 0 where it is new.</summary>
    /// <returns>The sum.</returns>
    /// <exception cref="TorchException">The store is gone.</exception>
    public long Add(string key, long amount)
    {
        _ = Check(esp_store_add(Handle, key, amount, out long sum));
        return sum;
    }

    /// <summary>Leaves the store; closes it where this process serves it.</summary>
    public void Dispose() => Handle.Dispose();
}

/// <summary>For the marshaller.</summary>
internal sealed class StoreHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        esp_store_free(handle);
        return true;
    }
}
