// Establish WebSocket connection
const socket = new WebSocket('wss://cti.example.com/organisation/org-12345/user/user-67890');

// Handle connection open
socket.onopen = function(event) {
    console.log('Connected to user presence stream');
    
    // Send subscription message
    socket.send(JSON.stringify({
        action: 'subscribe',
        orgId: 'org-12345',
        userId: 'user-67890'
    }));
};

// Handle incoming messages
socket.onmessage = function(event) {
    const data = JSON.parse(event.data);
    console.log('Presence update:', data);
};

// Handle connection close
socket.onclose = function(event) {
    console.log('Disconnected from presence stream');
};

// Handle errors
socket.onerror = function(error) {
    console.error('WebSocket error:', error);
};
