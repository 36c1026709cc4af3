// Establish WebSocket connection for group
const socket = new WebSocket('wss://cti.example.com/organisation/org-12345/user-group/group-sales-team');

// Handle connection open
socket.onopen = function(event) {
    console.log('Connected to group presence stream');
    
    // Send subscription message
    socket.send(JSON.stringify({
        action: 'subscribe',
        orgId: 'org-12345',
        groupId: 'group-sales-team'
    }));
};

// Handle incoming messages
socket.onmessage = function(event) {
    const data = JSON.parse(event.data);
    
    if (data.type === 'group_presence_update') {
        updateGroupDashboard(data.data);
    } else if (data.type === 'member_presence_update') {
        updateMemberStatus(data.data);
    }
};

// Unsubscribe before closing
function disconnect() {
    socket.send(JSON.stringify({
        action: 'unsubscribe',
        orgId: 'org-12345',
        groupId: 'group-sales-team'
    }));
    socket.close();
}
